#include "cli/completion.h"

#include <CLI/CLI.hpp>

#include "cli/device.h"
#include "cli/output.h"
#include "cli/setup/target.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

struct Candidate {
  std::string word, description;
};
using Candidates = std::vector<Candidate>;

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) names.push_back('-' + name);
  return names;
}

const CLI::Option* find_option(const CLI::App& app, const std::string& word) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : names_of(*option)) {
      if (name == word) return option;
    }
  }
  return nullptr;
}

const CLI::App* find_subcommand(const CLI::App& app, const std::string& word) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return command;
  }
  return nullptr;
}

Candidates options_of(const CLI::App& app) {
  Candidates all;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : names_of(*option)) all.push_back({name, option->get_description()});
  }
  return all;
}

Candidates profiles() {
  Candidates all;
  if (const auto device = open_device()) {
    for (const std::string& name : known_profiles(*device->snapshot)) all.push_back({name, {}});
  }
  return all;
}

/// By the name that --help shows for the value.
Candidates values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type == "NAME") return profiles();
  if (type == "FILE") return {{":files", {}}};
  if (type == "DIR") return {{":folders", {}}};
  if (type == "COMMAND") return {{":commands", {}}};
  if (type == "TARGET" || type == "TARGET|all") {
    Candidates all;
    if (type != "TARGET") all.push_back({"all", {}});
    for (const std::string_view name : target_names()) all.push_back({std::string(name), {}});
    return all;
  }
  return {};
}

Candidates arguments_of(const CLI::App& app) {
  Candidates all;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    all.push_back({command->get_name(), command->get_description()});
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    for (Candidate& value : values_of(*option)) all.push_back(std::move(value));
  }
  return all;
}

Candidates candidates(const CLI::App& top, const std::vector<std::string>& words) {
  const CLI::App* app = &top;
  const CLI::Option* valued = nullptr;  // waits for its value
  bool options_end = false;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (valued != nullptr) {
      valued = nullptr;
    } else if (word == "--") {
      options_end = true;
    } else if (options_end) {
      continue;
    } else if (const CLI::App* command = find_subcommand(*app, word); command != nullptr) {
      app = command;
    } else if (const CLI::Option* option = find_option(*app, word); option != nullptr && takes_value(*option)) {
      valued = option;
    }
  }
  if (valued != nullptr) return values_of(*valued);
  const std::string& last = words.back();
  if (options_end || !last.starts_with('-')) return arguments_of(*app);
  const std::size_t equals = last.find('=');
  if (equals == std::string::npos) return options_of(*app);
  const CLI::Option* option = find_option(*app, last.substr(0, equals));
  Candidates values = option != nullptr ? values_of(*option) : Candidates();
  std::erase_if(values, [](const Candidate& value) { return value.word.starts_with(':'); });
  for (Candidate& value : values) value.word.insert(0, last, 0, equals + 1);
  return values;
}

}  // namespace

int complete(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) return 0;
  std::string text;
  for (const Candidate& candidate : candidates(app, words)) {
    if (!candidate.word.starts_with(':') && !candidate.word.starts_with(words.back())) continue;
    text += candidate.word + (candidate.description.empty() ? "" : '\t' + candidate.description) + '\n';
  }
  return write_all(kStandardOutput, text) ? 0 : 1;
}

}  // namespace devtrust::cli
