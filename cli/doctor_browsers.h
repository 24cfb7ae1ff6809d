// What `doctor` says of a browser.
#pragma once

#include <string>
#include <vector>

#include "cli/device.h"
#include "cli/doctor_line.h"

namespace devtrust::cli {

struct BrowserDatabase {
  std::string folder;
  std::string source;       // where the browser has the certificate from without us; empty: nowhere
  bool module = false;      // it names our module
  std::string gone, error;  // the module's file that is not there; why pkcs11.txt cannot be read
};
BrowserDatabase look_at(const std::string& folder, const Snapshot* snapshot);
/// What is wrong with one database; nothing where nothing is.
std::vector<Line> troubles(const std::string& subject, const BrowserDatabase& database);

/// `snapshot`, `device`: null where the configuration cannot be read.
void examine_firefox(const Snapshot* snapshot, std::vector<Line>& lines);
void examine_chromium(const Device* device, std::vector<Line>& lines);
/// Of those that cannot load a module of this machine.
void examine_confined(std::vector<Line>& lines);

}  // namespace devtrust::cli
