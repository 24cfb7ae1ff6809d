#include <sys/types.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>

#include "tests/support/security_double/double.h"
#include "tests/support/security_double/objects.h"

namespace devtrust::testing::security_double {
namespace {

struct Plan {
  std::string domain;
  long code = 0;
  std::size_t times = 0;
};

struct Books {
  std::mutex mutex;
  std::map<CFTypeRef, std::size_t> counts;  // of references, by object
  std::map<std::string, std::size_t> calls;
  std::map<std::string, Plan> plans;
  const pid_t process = getpid();
};

Books& books() {
  static auto* const kBooks = new Books;
  return *kBooks;
}

std::set<CFTypeRef>& constants() {
  static auto* const kConstants = new std::set<CFTypeRef>;
  return *kConstants;
}

const Object* object_of(CFTypeRef reference) { return static_cast<const Object*>(reference); }

}  // namespace

void misuse(const char* function, const char* what) {
  static_cast<void>(std::fprintf(stderr, "Security.framework's double: %s: %s\n", function, what));
  std::abort();
}

bool add_constant(CFTypeRef object) { return constants().insert(object).second; }
bool is_constant(CFTypeRef object) { return constants().contains(object); }

CFTypeRef adopt(std::unique_ptr<Object> object) {
  const std::lock_guard guard(books().mutex);
  const CFTypeRef reference = object.release();
  books().counts[reference] = 1;
  return reference;
}

void check(CFTypeRef object, Kind kind, const char* function) {
  if (object == nullptr) misuse(function, "NULL");
  {
    const std::lock_guard guard(books().mutex);
    if (!books().counts.contains(object) && !is_constant(object)) misuse(function, "an object that was released");
  }
  if (object_of(object)->kind != kind) misuse(function, "an object of another type");
}

void note_call(const char* function) {
  if (getpid() != books().process) misuse(function, "called in a forked child");
  const std::lock_guard guard(books().mutex);
  ++books().calls[function];
}

PlannedFailure planned_failure(const char* function) {
  const std::lock_guard guard(books().mutex);
  const auto plan = books().plans.find(function);
  if (plan == books().plans.end() || plan->second.times == 0) return {};
  --plan->second.times;
  return {plan->second.domain.c_str(), plan->second.code};
}

CFStringRef make_string(const std::string& text) {
  return static_cast<CFStringRef>(adopt(std::make_unique<DoubleString>(text)));
}

CFDataRef make_data(const std::uint8_t* bytes, std::size_t size) {
  return static_cast<CFDataRef>(adopt(std::make_unique<DoubleData>(std::vector<std::uint8_t>(bytes, bytes + size))));
}

void make_error(CFErrorRef* error, const char* domain, long code) {
  if (error == nullptr) return;
  auto made = std::make_unique<DoubleError>();
  const CFStringRef name = make_string(domain);
  made->domain = std::make_unique<Held>(name);
  CFRelease(name);
  made->code = code;
  *error = static_cast<CFErrorRef>(const_cast<void*>(adopt(std::move(made))));
}

CFTypeRef value_of(CFDictionaryRef dictionary, CFStringRef key) {
  const auto found = dictionary->values.find(key);
  return found != dictionary->values.end() ? found->second->get() : nullptr;
}

std::string text_of(CFStringRef string) { return string->text; }

}  // namespace devtrust::testing::security_double

using namespace devtrust::testing::security_double;  // NOLINT(google-build-using-namespace)

namespace {
DoubleBoolean true_object;
[[maybe_unused]] const bool true_is_known = add_constant(&true_object);
}  // namespace

extern "C" {

const CFBooleanRef kCFBooleanTrue = &true_object;

std::size_t security_double_live_objects() {
  const std::lock_guard guard(books().mutex);
  return books().counts.size();
}
void security_double_reset() {
  const std::lock_guard guard(books().mutex);
  books().calls.clear();
  books().plans.clear();
}
std::size_t security_double_calls(const char* function) {
  const std::lock_guard guard(books().mutex);
  return books().calls[function];
}
void security_double_fail(const char* function, std::int32_t status, std::size_t times) {
  security_double_fail_with(function, "NSOSStatusErrorDomain", status, times);
}
void security_double_fail_with(const char* function, const char* domain, long code, std::size_t times) {
  const std::lock_guard guard(books().mutex);
  books().plans[function] = {domain, code, times};
}

const CFArrayCallBacks kCFTypeArrayCallBacks{0};
const CFDictionaryKeyCallBacks kCFTypeDictionaryKeyCallBacks{0};
const CFDictionaryValueCallBacks kCFTypeDictionaryValueCallBacks{0};

CFTypeRef CFRetain(CFTypeRef object) {
  note_call("CFRetain");
  const std::lock_guard guard(books().mutex);
  const auto found = books().counts.find(object);
  if (found == books().counts.end()) {
    if (is_constant(object)) return object;
    misuse("CFRetain", "an object that was released");
  }
  ++found->second;
  return object;
}

void CFRelease(CFTypeRef object) {
  note_call("CFRelease");
  if (object == nullptr) misuse("CFRelease", "NULL");
  {
    const std::lock_guard guard(books().mutex);
    const auto found = books().counts.find(object);
    if (found == books().counts.end()) {
      if (is_constant(object)) return;
      misuse("CFRelease", "an object that was released");
    }
    if (--found->second > 0) return;
    books().counts.erase(found);
  }
  delete object_of(object);
}

CFIndex CFStringGetLength(CFStringRef string) {
  check(string, Kind::kString, "CFStringGetLength");
  return static_cast<CFIndex>(string->text.size());  // ASCII
}
CFIndex CFStringGetMaximumSizeForEncoding(CFIndex length, CFStringEncoding /*encoding*/) { return 3 * length; }
Boolean CFStringGetCString(CFStringRef string, char* buffer, CFIndex size, CFStringEncoding encoding) {
  check(string, Kind::kString, "CFStringGetCString");
  if (encoding != kCFStringEncodingUTF8 || string->text.size() + 1 > static_cast<std::size_t>(size)) return 0;
  string->text.copy(buffer, string->text.size());
  buffer[string->text.size()] = '\0';
  return 1;
}

CFDataRef CFDataCreate(CFAllocatorRef /*allocator*/, const UInt8* bytes, CFIndex length) {
  note_call("CFDataCreate");
  return make_data(bytes, static_cast<std::size_t>(length));
}
const UInt8* CFDataGetBytePtr(CFDataRef data) {
  check(data, Kind::kData, "CFDataGetBytePtr");
  return data->bytes.data();
}
CFIndex CFDataGetLength(CFDataRef data) {
  check(data, Kind::kData, "CFDataGetLength");
  return static_cast<CFIndex>(data->bytes.size());
}

CFArrayRef CFArrayCreate(CFAllocatorRef /*allocator*/, const void** values, CFIndex count,
                         const CFArrayCallBacks* callbacks) {
  if (callbacks != &kCFTypeArrayCallBacks) misuse("CFArrayCreate", "nothing would be retained");
  auto made = std::make_unique<DoubleArray>();
  for (CFIndex i = 0; i < count; ++i) made->values.push_back(std::make_unique<Held>(values[i]));
  return static_cast<CFArrayRef>(adopt(std::move(made)));
}
CFIndex CFArrayGetCount(CFArrayRef array) {
  check(array, Kind::kArray, "CFArrayGetCount");
  return static_cast<CFIndex>(array->values.size());
}
const void* CFArrayGetValueAtIndex(CFArrayRef array, CFIndex index) {
  check(array, Kind::kArray, "CFArrayGetValueAtIndex");
  return array->values.at(static_cast<std::size_t>(index))->get();
}

CFDictionaryRef CFDictionaryCreate(CFAllocatorRef /*allocator*/, const void** keys, const void** values, CFIndex count,
                                   const CFDictionaryKeyCallBacks* key_callbacks,
                                   const CFDictionaryValueCallBacks* value_callbacks) {
  if (key_callbacks != &kCFTypeDictionaryKeyCallBacks || value_callbacks != &kCFTypeDictionaryValueCallBacks) {
    misuse("CFDictionaryCreate", "nothing would be retained");
  }
  auto made = std::make_unique<DoubleDictionary>();
  for (CFIndex i = 0; i < count; ++i) made->values.emplace(keys[i], std::make_unique<Held>(values[i]));
  return static_cast<CFDictionaryRef>(adopt(std::move(made)));
}

CFStringRef CFErrorGetDomain(CFErrorRef error) {
  check(error, Kind::kError, "CFErrorGetDomain");
  return static_cast<CFStringRef>(error->domain->get());
}
CFIndex CFErrorGetCode(CFErrorRef error) {
  check(error, Kind::kError, "CFErrorGetCode");
  return error->code;
}
CFStringRef CFErrorCopyDescription(CFErrorRef error) {
  check(error, Kind::kError, "CFErrorCopyDescription");
  return make_string("the operation could not be completed");
}

}  // extern "C"
