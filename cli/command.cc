#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <optional>

#include "cli/completion.h"
#include "cli/credentials.h"
#include "cli/doctor.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/range.h"
#include "cli/setup/target.h"
#include "cli/smimesign.h"
#include "cli/status.h"

namespace devtrust::cli {
namespace {

constexpr int kUsage = 1;

std::string list_of_targets() {
  std::string list;
  for (const std::string_view name : target_names()) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

/// What a subcommand does when it was chosen.
using Action = std::function<int()>;

class Command {
 public:
  Command() : app_("The device-trust certificate of this machine, for the programs that cannot find it.", "devtrust") {
    app_.set_version_flag("-v,--version", std::string("devtrust ") + DEVTRUST_VERSION);
    app_.allow_windows_style_options(false);  // on every system a file may be named from the root
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Print the help of all commands and exit");
    add_list();
    add_status();
    add_doctor();
    add_setup();
    add_smimesign();
    add_files();
  }

  int run(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == kCompleteCommand) return complete(app_, {argv + 2, argv + argc});
    if (argc > 1 && argv[1][0] != '-' &&
        app_.get_subcommands([argv](CLI::App* command) { return command->check_name(argv[1]); }).empty()) {
      complain(std::string("there is no command \"") + argv[1] + "\": `devtrust --help` shows what there is");
      return kUsage;
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& help) {
      const int code = app_.exit(help);
      return std::cout.flush() ? code : 1;
    } catch (const CLI::ParseError& error) {
      complain(std::string(error.what()) + ": `devtrust --help` shows what there is");
      return kUsage;
    }
    return action_();
  }

 private:
  CLI::App* add(const std::string& name, const std::string& what, Action action) {
    CLI::App* command = app_.add_subcommand(name, what);
    command->callback([this, action = std::move(action)] { action_ = action; });
    return command;
  }

  void add_list() {
    add("list", "Show the identities: what is there, what is used, and why the others are not", [this] {
      return list(json_ ? Format::kJson : Format::kText);
    })->add_flag("--json", json_, "for programs (docs/status.schema.json)");
  }

  void add_status() {
    CLI::App* command =
        add("status", "Say in one line, and by the exit code, whether the identity can be used", [this] {
          const Format format = json_ ? Format::kJson : prometheus_ ? Format::kPrometheus : Format::kText;
          return all_users_ ? status_of_all_users(profile_, format, std::chrono::seconds(timeout_))
                            : status(profile_, format);
        });
    add_profile(command);
    auto* json = command->add_flag("--json", json_, "for programs (docs/status.schema.json)");
    command->add_flag("--prometheus", prometheus_, "metrics for a textfile collector")->excludes(json);
    auto* all = command->add_flag("--all-users", all_users_, "of every user of this machine, a line each; for root");
    command
        ->add_option("--timeout", timeout_, "for --all-users: how long a user's home may take to answer (default: 10)")
        ->check(CLI::Range(1, 3600))
        ->type_name("SECONDS")
        ->needs(all);
    command->footer(
        "Exit codes: 0 usable, 1 usage error, 2 none found, 3 expired, 4 renewal overdue,\n"
        "5 locked or access denied, 6 misconfigured; with --all-users 7 no answer, and of\n"
        "several the first of 3, 6, 5, 7, 4, 0, 2.");
  }

  void add_doctor() {
    add("doctor", "Look through all that lies between the store and each program, and say what to do", [this] {
      return doctor(json_ ? Format::kJson : Format::kText);
    })->add_flag("--json", json_, "for programs (docs/doctor.schema.json)");
  }

  void add_setup() {
    CLI::App* command = add("setup", "Set a program up to use the identity", [this] { return setup(target_, setup_); });
    command->add_option("target", target_, list_of_targets() + ", or all that are installed")
        ->required()
        ->type_name("TARGET|all");
    command
        ->add_option("-p,--profile", setup_.profile, "the profile to use (default: the one with a current certificate)")
        ->type_name("NAME");
    command->add_flag("--no-trust", setup_.no_trust,
                      "do not copy the root of the certificate's chain to the roots that are believed");
    command->add_flag("--auto-select", setup_.auto_select,
                      "firefox: show a certificate to every site that asks, without a question");
    add_setup_options(command);
    command = add("unsetup", "Undo what setup did, to the byte", [this] { return unsetup(target_, setup_); });
    command->add_option("target", target_, list_of_targets() + ", or all")->required()->type_name("TARGET|all");
    add_setup_options(command);
  }
  void add_setup_options(CLI::App* command) {
    command->add_flag("--dry-run", setup_.dry_run, "show the change as a diff, and make none");
    command->add_flag("--system", setup_.system, "for every user of this machine");
  }

  void add_smimesign() {
    CLI::App* command = add("sign", "Sign a file, or standard input", [this] { return sign(smimesign_); });
    add_sign_options(*command, smimesign_);
    add_status_option(*command, smimesign_);
    command->add_option("file", smimesign_.files, "what to sign (default: standard input)")->type_name("FILE");
    command = add("verify", "Verify a signature, or all commits of a range", [this] { return run_verify(); });
    command->add_option("files", smimesign_.files, "the signature, and the data where it is apart")->type_name("FILE");
    command->add_option("--range", range_, "the commits of the repository here; A..B as git has it")->type_name("A..B");
    command
        ->add_option("--policy", policy_, "for --range: a configuration whose [verify] counts instead of the usual one")
        ->type_name("FILE");
    auto* json = command->add_flag("--json", json_, "for --range: for programs (docs/range.schema.json)");
    command->add_flag("--sarif", sarif_, "for --range: SARIF 2.1.0")->excludes(json);
    add_status_option(*command, smimesign_);
  }

  int run_verify() const {
    if (!range_ && (!policy_.empty() || json_ || sarif_)) {
      complain("--policy, --json and --sarif are for --range A..B");
      return kUsage;
    }
    if (!range_) return verify(smimesign_);
    if (!smimesign_.files.empty() || smimesign_.status_fd >= 0) {
      complain("--range takes neither files nor --status-fd");
      return kUsage;
    }
    return verify_range(*range_, policy_,
                        json_    ? RangeFormat::kJson
                        : sarif_ ? RangeFormat::kSarif
                                 : RangeFormat::kText);
  }

  void add_files() {
    CLI::App* command = add("pem", "Write the chain and the key's reference as PEM files",
                            [this] { return pem(profile_, pem_folder_); });
    add_profile(command);
    command
        ->add_option("-o,--output", pem_folder_,
                     "the folder for chain.pem and key.pem (default: both to standard output)")
        ->check([](const std::string& folder) { return folder.empty() ? "the folder has no name" : std::string(); })
        ->type_name("DIR");
    add_profile(add("uri", "Show the names by which programs know the identity", [this] { return uri(profile_); }));
    command = add("exec", "Run a program with the provider and the module active",
                  [this] { return execute(profile_, program_); });
    add_profile(command);
    command->add_option("command", program_, "the program and its arguments, after --")
        ->required()
        ->type_name("COMMAND");
    command->positionals_at_end();
    command->footer(
        "In its environment: OPENSSL_CONF; DEVTRUST_CERT and DEVTRUST_KEY, two files for programs that\n"
        "take files; DEVTRUST_MODULE, the PKCS#11 module, which PKCS11_MODULE_PATH and\n"
        "PKCS11_PROVIDER_MODULE name as well.");
  }

  void add_profile(CLI::App* command) {
    command
        ->add_option("-p,--profile", profile_, "which profile (default: the first one that has a current certificate)")
        ->type_name("NAME");
  }

  CLI::App app_;
  Action action_;
  std::string profile_, target_, pem_folder_;
  std::optional<std::string> range_;
  std::string policy_;
  bool json_ = false, prometheus_ = false, sarif_ = false, all_users_ = false;
  int timeout_ = 10;
  SetupOptions setup_;
  SmimesignOptions smimesign_;
  std::vector<std::string> program_;
};

}  // namespace

int command_main(int argc, char** argv) { return Command().run(argc, argv); }

}  // namespace devtrust::cli
