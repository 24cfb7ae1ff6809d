#include "tests/support/keychain_file.h"

#include <algorithm>

namespace devtrust::testing {

KeychainFile::KeychainFile(std::filesystem::path path) : path_(std::move(path)) {
  std::filesystem::create_directories(path_.parent_path());
  write();
}

KeychainFile::~KeychainFile() = default;

void KeychainFile::put(const std::filesystem::path& pem) {
  std::string item = read_file(pem);
  if (std::ranges::find(items_, item) == items_.end()) items_.push_back(std::move(item));
}

void KeychainFile::add(const Leaf& leaf) {
  put(leaf.certificate);
  put(leaf.key);
  for (const std::filesystem::path& issuer : leaf.issuers) put(issuer);
  write();
}

void KeychainFile::add_certificate(const std::filesystem::path& pem) {
  put(pem);
  write();
}

void KeychainFile::add_key(const std::filesystem::path& pem) { add_certificate(pem); }

void KeychainFile::remove(const Leaf& leaf) {
  std::erase(items_, read_file(leaf.certificate));
  std::erase(items_, read_file(leaf.key));
  write();
}

void KeychainFile::set(std::vector<std::string> settings) {
  settings_ = std::move(settings);
  write();
}

void KeychainFile::search_also(const KeychainFile& other) { set({"also " + other.path().string()}); }

void KeychainFile::write() const {
  std::string text = "keychain\n";
  for (const std::string& setting : settings_) text += setting + '\n';
  for (const std::string& item : items_) text += item;
  const std::filesystem::path fresh = path_.string() + ".new";
  write_file(fresh, text);
  std::filesystem::rename(fresh, path_);
}

}  // namespace devtrust::testing
