#include "cli/setup/git.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cli/device.h"
#include "cli/files.h"
#include "cli/programs.h"
#include "cli/setup/git_places.h"
#include "cli/subprocess.h"
#include "cli/trust.h"
#include "identity/certificate_text.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

const MarkedBlock kBlock("git");

struct Setting {
  std::string section, subsection, key, value;

  std::string name() const { return section + (subsection.empty() ? "" : '.' + subsection) + '.' + key; }
};

std::vector<Setting> settings(const std::string& profile, const std::string& program) {
  return {{"gpg", "", "format", "x509"},
          {"gpg", "x509", "program", program},
          {"user", "", "signingKey", "devtrust:" + profile}};
}

/// As git-config(1) has it: within quotes only these two are escaped.
std::string git_quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::string header(const Setting& setting) {
  return setting.subsection.empty() ? '[' + setting.section + "]\n"
                                    : fmt::format("[{} \"{}\"]\n", setting.section, setting.subsection);
}
std::string assignment(const Setting& setting) {
  return fmt::format("\t{} = {}\n", setting.key, git_quoted(setting.value));
}

std::string lines_of(const std::vector<Setting>& all) {
  std::string text;
  for (const Setting& setting : all) text += header(setting) + assignment(setting);
  return text;
}

std::string roots_file(bool system) { return system ? system_roots_file() : user_roots_file(); }

/// git itself is asked whether it can read the file.
Result<void> check_syntax(const std::string& path) {
  const auto ended = run({"git", "config", "--file", path, "--list"});
  if (!ended) return fail(ended.error().code, ended.error().message + ": install git first");
  if (ended->code == 0) return {};
  std::string reason = ended->errors.substr(0, ended->errors.find('\n'));
  if (reason.starts_with("fatal: ")) reason.erase(0, 7);
  return fail(ErrorCode::kCorrupt, "git cannot read " + path + " (" + reason + "): mend it first; nothing was changed");
}

/// What git would read once the file is this; in a copy, since nothing is written yet.
Result<void> check_effect(const std::string& path, const std::string& content, const std::vector<Setting>& wanted) {
  const TemporaryFile copy("gitconfig", content);
  if (copy.path().empty()) return fail(ErrorCode::kIo, temporary_folder() + " cannot be written to");
  for (const Setting& setting : wanted) {
    const auto ended = run({"git", "config", "--file", copy.path(), "--get", setting.name()});
    if (ended && ended->code == 0 && ended->output == setting.value + '\n') continue;
    const std::string other = ended ? ended->output.substr(0, ended->output.find('\n')) : ended.error().message;
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("{} is set again behind our lines in {}, to \"{}\", and that counts: take it out, "
                            "or move it before them; nothing was changed",
                            setting.name(), path, other));
  }
  return {};
}

/// What the file says of these keys by itself, so that the user hears what is passed over.
void note_former(const std::string& path, const std::vector<Setting>& wanted, std::vector<std::string>& notes) {
  for (const Setting& setting : wanted) {
    const auto ended = run({"git", "config", "--file", path, "--get", setting.name()});
    if (!ended || ended->code != 0) continue;
    const std::string value = ended->output.substr(0, ended->output.find('\n'));
    const bool ours = value.starts_with("devtrust:") || value.find("/devtrust-smimesign") != std::string::npos;
    if (value != setting.value && !ours)
      notes.push_back(fmt::format("note: {} was \"{}\"; `devtrust unsetup git` brings it back", setting.name(), value));
  }
}

/// Of the lines between our marks those that somebody else put there, git itself for instance: with their sections.
std::string foreign_settings(std::string_view inside) {
  static constexpr std::array<std::string_view, 3> kOurs{"\tformat = \"x509\"\n", "\tprogram = \"",
                                                         "\tsigningKey = \"devtrust:"};
  std::string kept;
  std::string_view section;
  while (!inside.empty()) {
    const std::string_view line = inside.substr(0, inside.find('\n') + 1);
    inside.remove_prefix(line.size());
    if (line.starts_with('[')) {
      section = line;
    } else if (std::ranges::none_of(kOurs, [line](std::string_view ours) { return line.starts_with(ours); })) {
      kept.append(section).append(line);
      section = {};
    }
  }
  return kept;
}

std::string colon_hex(ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{}{:02X}", text.empty() ? "" : ":", byte);
  return text;
}

Result<void> plan_trust(const Config& config, const Identity& identity, bool system, Plan& plan) {
  const std::string path = roots_file(system);
  const Certificate& root = identity.chain.last(*identity.leaf);
  if (!identity.chain.complete) {
    plan.notes.push_back(
        "note: the store holds no root for \"" + name_of(*identity.leaf) +
        "\", so git shows its signatures as untrusted (U): get the root from your administrator and put it into " +
        path);
    return {};
  }
  const auto& roots = config.verify.roots;
  if (!roots.empty() &&
      std::ranges::none_of(roots, [&path](const std::string& named) { return path_of(named) == path_of(path); })) {
    return fail(ErrorCode::kInvalidConfig, "verify.roots in " + config.files.back() + " names other files than " +
                                               path + ": add this one there, or leave the roots alone with --no-trust");
  }
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  const std::string pem = pem_of(root);
  if (*before && (*before)->find(pem) != std::string::npos) return {};
  const auto known = kBlock.find(before->value_or(""));
  if (!known) return fail(known.error().code, path + ": " + known.error().message);
  const std::string fingerprint = colon_hex(root.sha256());
  // Earlier roots of ours stay: what was signed under them is still to be verified.
  std::string name = name_of(root);
  std::ranges::replace_if(
      name, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  const auto after = kBlock.with(*before, known->value_or("") + "# " + name + ", SHA-256 " + fingerprint + '\n' + pem);
  if (!after) return fail(after);
  plan.changes.push_back({path, *before, *after, 0644, system});
  plan.done.push_back(path + ": added the root \"" + name_of(root) + '"');
  plan.done.push_back("SHA-256 " + fingerprint);
  plan.notes.push_back(fmt::format(
      "A signature by any certificate under this root now counts as good for {}. Compare its fingerprint with the one "
      "that "
      "your administrator gives you. `devtrust unsetup git` takes the root away again; `--no-trust` leaves it out.",
      system ? "every user here" : "you"));
  return {};
}

struct Chosen {
  std::string profile;
  IdentityPtr identity;  // null: there is none yet
  std::string problem;   // why none can be used now
};

/// The profile that is to sign.
Result<Chosen> choose(const Device& device, const std::string& profile) {
  auto current = select_current(*device.snapshot, profile, current_time());
  if (current) return Chosen{(*current)->profile, *current, {}};
  const auto known = known_profiles(*device.snapshot);
  for (const IdentityPtr& identity : all_identities(*device.snapshot, current_time())) {
    if (profile.empty() || identity->profile == profile)
      return Chosen{identity->profile, identity, current.error().message};
  }
  if (profile.empty() || std::ranges::find(known, profile) == known.end()) return fail(current);
  return Chosen{profile, nullptr, current.error().message};
}

}  // namespace

Result<Plan> plan_git_setup(const SetupOptions& options) {
  const auto device = open_device();
  if (!device) return fail(device);
  const auto chosen = choose(*device, options.profile);
  if (!chosen) return fail(chosen);
  const auto program = program_path("devtrust-smimesign");
  if (!program) return fail(program);
  const auto path = git_config_file(options.system);
  if (!path) return fail(path);
  const auto before = read_if_there(*path);
  if (!before) return fail(before);
  if (auto readable = check_syntax(*before ? *path : "/dev/null"); !readable) return fail(readable);

  Plan plan;
  const auto wanted = settings(chosen->profile, *program);
  const auto known = kBlock.find(before->value_or(""));
  if (!known) return fail(known.error().code, *path + ": " + known.error().message);
  // What others wrote between our lines stays, before them: so that it is not lost, and that ours count.
  const auto after = kBlock.with(*before, foreign_settings(known->value_or("")) + lines_of(wanted));
  if (!after) return fail(after);
  // Where our lines still say so, what was added between them stays as it is.
  const bool in_effect = *known && std::ranges::all_of(wanted, [&known](const Setting& setting) {
    return (*known)->find(assignment(setting)) != std::string::npos;
  });
  const std::string& result = in_effect ? **before : *after;
  if (auto effective = check_effect(*path, result, wanted); !effective) return fail(effective);
  plan.changes.push_back({*path, *before, result, 0644, options.system});
  for (const Setting& setting : wanted)
    plan.done.push_back(fmt::format("{}: {} = {}", *path, setting.name(), setting.value));
  if (*before && !in_effect) note_former(*path, wanted, plan.notes);
  if (!options.no_trust && chosen->identity != nullptr) {
    if (auto trusted = plan_trust(device->config, *chosen->identity, options.system, plan); !trusted)
      return fail(trusted);
  }
  if (!chosen->problem.empty()) plan.notes.push_back("note: signing has to wait: " + chosen->problem);
  plan.notes.emplace_back("`git commit -S` signs a commit; `git config --global commit.gpgSign true` signs every one.");
  return plan;
}

Result<Plan> plan_git_unsetup(const SetupOptions& options) {
  Plan plan;
  const auto path = git_config_file(options.system);
  if (!path) return fail(path);
  if (auto taken = plan.take(kBlock, *path, foreign_settings); !taken) return fail(taken);
  if (auto taken = plan.take(kBlock, roots_file(options.system)); !taken) return fail(taken);
  return plan;
}

}  // namespace devtrust::cli
