// Leaves main while eight threads are signing: nothing that our module has may be torn down under them.
#include <cstdio>
#include <exception>
#include <latch>
#include <thread>

#include "tests/interop/hosts/host.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    static const devtrust::testing::Module module(argv[1]);
    devtrust::testing::check(module.initialize(), "C_Initialize");
    constexpr int kThreads = 8;
    static std::latch signing(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      std::thread([] {
        const CK_SESSION_HANDLE session = module.open_session();
        const CK_OBJECT_HANDLE key = module.find(session, CKO_PRIVATE_KEY);
        std::vector<CK_BYTE> signature;
        if (module.sign(session, key, signature) != CKR_OK) std::_Exit(1);
        signing.count_down();
        while (module.sign(session, key, signature) == CKR_OK) {
        }
      }).detach();
    }
    signing.wait();
    return 0;
  } catch (const std::exception& error) {
    std::puts(error.what());
    return 1;
  }
}
