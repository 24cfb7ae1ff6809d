// The double's objects and their counts.
#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "security_framework.h"

namespace devtrust::testing::security_double {

enum class Kind : std::uint8_t {
  kString,
  kData,
  kArray,
  kDictionary,
  kBoolean,
  kError,
  kKeychain,
  kIdentity,
  kCertificate,
  kKey
};

struct Object {
  explicit Object(Kind its_kind) : kind(its_kind) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  const Kind kind;
};

/// What an object holds on to.
class Held {
 public:
  explicit Held(CFTypeRef object) : object_(CFRetain(object)) {}
  ~Held() { CFRelease(object_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  CFTypeRef get() const { return object_; }

 private:
  CFTypeRef object_;
};

/// Counted from 1.
CFTypeRef adopt(std::unique_ptr<Object> object);
/// Constants are there from the beginning to the end, and are not counted.
bool add_constant(CFTypeRef object);
bool is_constant(CFTypeRef object);
/// Ends the process where it is no living object of this kind.
void check(CFTypeRef object, Kind kind, const char* function);
/// Counts a call, and ends the process where it is made in a forked child.
void note_call(const char* function);

struct PlannedFailure {
  const char* domain = nullptr;  ///< null: none is planned
  long code = 0;
};
PlannedFailure planned_failure(const char* function);

[[noreturn]] void misuse(const char* function, const char* what);

CFStringRef make_string(const std::string& text);
CFDataRef make_data(const std::uint8_t* bytes, std::size_t size);
void make_error(CFErrorRef* error, const char* domain, long code);
/// Null where the dictionary has no such key.
CFTypeRef value_of(CFDictionaryRef dictionary, CFStringRef key);
std::string text_of(CFStringRef string);

}  // namespace devtrust::testing::security_double

using DoubleKeyPtr = std::shared_ptr<EVP_PKEY>;

struct DoubleString final : devtrust::testing::security_double::Object {
  explicit DoubleString(std::string its_text)
      : Object(devtrust::testing::security_double::Kind::kString), text(std::move(its_text)) {}
  const std::string text;
};
struct DoubleData final : devtrust::testing::security_double::Object {
  explicit DoubleData(std::vector<std::uint8_t> its_bytes)
      : Object(devtrust::testing::security_double::Kind::kData), bytes(std::move(its_bytes)) {}
  const std::vector<std::uint8_t> bytes;
};
struct DoubleArray final : devtrust::testing::security_double::Object {
  DoubleArray() : Object(devtrust::testing::security_double::Kind::kArray) {}
  std::vector<std::unique_ptr<devtrust::testing::security_double::Held>> values;
};
struct DoubleDictionary final : devtrust::testing::security_double::Object {
  DoubleDictionary() : Object(devtrust::testing::security_double::Kind::kDictionary) {}
  std::map<CFTypeRef, std::unique_ptr<devtrust::testing::security_double::Held>> values;
};
struct DoubleBoolean final : devtrust::testing::security_double::Object {
  DoubleBoolean() : Object(devtrust::testing::security_double::Kind::kBoolean) {}
};
struct DoubleError final : devtrust::testing::security_double::Object {
  DoubleError() : Object(devtrust::testing::security_double::Kind::kError) {}
  std::unique_ptr<devtrust::testing::security_double::Held> domain;
  long code = 0;
};
