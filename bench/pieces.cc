// What libcrypto and libsqlite3 alone cost a fresh process that uses them as the module does: lines "NAME
// MICROSECONDS". pieces DATABASE
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <sqlite3.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "bench/token.h"

namespace {

clockid_t clock_id = CLOCK_MONOTONIC;

double microseconds() {
  timespec now{};
  clock_gettime(clock_id, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

template <typename Step>
void timed(const char* name, const Step& step) {
  const double start = microseconds();
  if (!step()) devtrust::bench::die(name, "it failed");
  std::printf("%s %.2f\n", name, microseconds() - start);
}

template <typename Function>
Function* get(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

}  // namespace

// Neither library is linked: loading them is part of what is measured.
#define GET(library, name) get<decltype(name)>(library, #name)

int main(int argc, char** argv) {
  if (argc != 3) devtrust::bench::die("pieces", "CLOCK DATABASE");
  if (std::strcmp(argv[1], "cpu") == 0) clock_id = CLOCK_PROCESS_CPUTIME_ID;
  void* crypto = nullptr;
  void* sqlite = nullptr;
  OSSL_LIB_CTX* context = nullptr;
  timed("libcrypto", [&] { return (crypto = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL)) != nullptr; });
  timed("context", [&] {
    context = GET(crypto, OSSL_LIB_CTX_new)();
    return GET(crypto, OSSL_PROVIDER_load)(context, "default") != nullptr;
  });
  timed("fetch", [&] {
    EVP_MD* md = GET(crypto, EVP_MD_fetch)(context, "SHA256", nullptr);
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    return GET(crypto, EVP_Digest)("", 0, out.data(), nullptr, md, nullptr) == 1;
  });
  timed("libsqlite3", [&] {
    sqlite = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    return sqlite != nullptr;
  });
  timed("query", [&] {
    sqlite3* database = nullptr;
    sqlite3_stmt* statement = nullptr;
    return GET(sqlite, sqlite3_open_v2)(argv[2], &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK &&
           GET(sqlite, sqlite3_prepare_v2)(database, "SELECT a81 FROM nssPublic LIMIT 1", -1, &statement, nullptr) ==
               SQLITE_OK &&
           GET(sqlite, sqlite3_step)(statement) == SQLITE_ROW;
  });
}
