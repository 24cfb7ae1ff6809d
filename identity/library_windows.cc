// What a module of ours does when Windows loads it.
#include <openssl/crypto.h>
#include <windows.h>

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID /*reserved*/);

// The libcrypto inside is our own, and hears of a thread's end from nobody else. It stays loaded after a host lets go
// of it: a thread may still be inside, and threads' ends come later.
BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID /*reserved*/) {
  if (reason == DLL_PROCESS_ATTACH) {
    HMODULE pinned = nullptr;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       reinterpret_cast<const wchar_t*>(instance), &pinned);
  } else if (reason == DLL_THREAD_DETACH) {
    OPENSSL_thread_stop();
  }
  return TRUE;
}
