// PKCS#11 3.0 §5.4 "General-purpose functions".
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "identity/openssl.h"
#include "identity/process.h"
#include "identity/trace.h"
#include "pkcs11/call.h"
#include "pkcs11/function_lists.h"

namespace devtrust::pkcs11 {
namespace {

/// Whether the host opened it by the name devtrust-p11-kit, as p11-kit's configuration has it. GnuTLS sends an issuer
/// only where CKA_TRUSTED says so, and passes arguments of its own to C_Initialize: p11-kit's x-init-reserved is lost
/// on the way, a file's name is not.
bool opened_for_p11_kit() {
  const std::string path = own_file();
  return path.substr(path.rfind('/') + 1).starts_with("devtrust-p11-kit.");
}

Answer<InitOptions> check_arguments(const CK_C_INITIALIZE_ARGS* arguments) {
  InitOptions options;
  options.chain_trusted = opened_for_p11_kit();
  if (arguments == nullptr) return options;
  const bool all = arguments->CreateMutex != nullptr && arguments->DestroyMutex != nullptr &&
                   arguments->LockMutex != nullptr && arguments->UnlockMutex != nullptr;
  const bool any = arguments->CreateMutex != nullptr || arguments->DestroyMutex != nullptr ||
                   arguments->LockMutex != nullptr || arguments->UnlockMutex != nullptr;
  if (any && !all) return refuse(CKR_ARGUMENTS_BAD, "some of the four mutex functions are NULL and some are not");
  // We lock with the operating system's own: with neither functions nor flag, the application says that it has one
  // thread.
  if (all && (arguments->flags & CKF_OS_LOCKING_OK) == 0) {
    return refuse(CKR_CANT_LOCK, "the application wants its own mutexes only: set CKF_OS_LOCKING_OK");
  }
  if (arguments->pReserved == nullptr) return options;
  return parse_init_string(static_cast<const char*>(arguments->pReserved), std::move(options));
}

CK_RV get_info(CK_INFO* info, CK_VERSION version) {
  return library_call("C_GetInfo", {buffer("info", info)}, [&](Library&) -> Answer<> {
    if (info == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    *info = {};
    info->cryptokiVersion = version;
    fill_field(info->manufacturerID, "devtrust");
    fill_field(info->libraryDescription, "Device-trust identities");
    info->libraryVersion = {DEVTRUST_VERSION_MAJOR, DEVTRUST_VERSION_MINOR};
    return {};
  });
}

}  // namespace

CK_RV get_info_3_0(CK_INFO* info) { return get_info(info, {3, 0}); }

}  // namespace devtrust::pkcs11

using namespace devtrust::pkcs11;

CK_RV C_Initialize(CK_VOID_PTR pInitArgs) {
  // DEVTRUST_TRACE, until the configuration is read; a second call must not take the first one's trace away
  if (LibraryUse().get() == nullptr) devtrust::set_trace("");
  return call("C_Initialize", {buffer("arguments", pInitArgs)}, [&]() -> Answer<> {
    const auto options = check_arguments(static_cast<const CK_C_INITIALIZE_ARGS*>(pInitArgs));
    if (!options) return tl::unexpected(options.error());
    auto initialized = initialize_library([&] { return Library::open(*options); });
    if (initialized) devtrust::use_libcrypto_once();  // which may call us back: here no lock is held
    return initialized;
  });
}

CK_RV C_Finalize(CK_VOID_PTR pReserved) {
  return call("C_Finalize", {}, [&]() -> Answer<> {
    if (pReserved != nullptr) return refuse(CKR_ARGUMENTS_BAD);
    return finalize_library();
  });
}

CK_RV C_GetInfo(CK_INFO* pInfo) { return get_info(pInfo, {2, 40}); }

CK_RV C_GetFunctionList(CK_FUNCTION_LIST** ppFunctionList) {
  return call("C_GetFunctionList", {}, [&]() -> Answer<> {
    if (ppFunctionList == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    *ppFunctionList = function_list();
    return {};
  });
}

CK_RV C_GetInterfaceList(CK_INTERFACE* pInterfacesList, CK_ULONG* pulCount) {
  return call("C_GetInterfaceList", {buffer("list", pInterfacesList), result("count", pulCount)}, [&]() -> Answer<> {
    if (pulCount == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    const auto list = interfaces();
    const CK_ULONG room = *pulCount;
    *pulCount = to_ulong(list.size());
    if (pInterfacesList == nullptr) return {};
    if (room < list.size()) return refuse(CKR_BUFFER_TOO_SMALL);
    std::ranges::copy(list, pInterfacesList);
    return {};
  });
}

CK_RV C_GetInterface(CK_UTF8CHAR* pInterfaceName, CK_VERSION* pVersion, CK_INTERFACE** ppInterface, CK_FLAGS flags) {
  return call("C_GetInterface", {value("flags", flags)}, [&]() -> Answer<> {
    if (ppInterface == nullptr) return refuse(CKR_ARGUMENTS_BAD);
    for (CK_INTERFACE& interface : interfaces()) {
      const auto* version = static_cast<const CK_VERSION*>(interface.pFunctionList);  // both lists begin with it
      if (pInterfaceName != nullptr && std::strcmp(reinterpret_cast<const char*>(pInterfaceName),
                                                   reinterpret_cast<const char*>(interface.pInterfaceName)) != 0) {
        continue;
      }
      if (pVersion != nullptr && (pVersion->major != version->major || pVersion->minor != version->minor)) continue;
      if ((interface.flags & flags) != flags) continue;
      *ppInterface = &interface;
      return {};
    }
    return refuse(CKR_ARGUMENTS_BAD, "there is no such interface");
  });
}
