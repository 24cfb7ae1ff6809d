// A URI out of a program's configuration. What we accept, p11-kit reads in the same way.
#include "identity/uri.h"

#include <p11-kit/uri.h>

#include <cstdlib>
#include <memory>

namespace {

using devtrust::as_text;

void same(const CK_ATTRIBUTE* theirs, const std::optional<std::string_view>& ours) {
  if ((theirs != nullptr) != ours.has_value()) std::abort();
  if (theirs != nullptr && std::string_view(static_cast<const char*>(theirs->pValue), theirs->ulValueLen) != *ours) {
    std::abort();
  }
}

void same(const char* theirs, const std::optional<std::string_view>& ours) {
  if ((theirs != nullptr) != ours.has_value()) std::abort();
  // p11-kit's ends at the first NUL.
  if (theirs != nullptr && ours->substr(0, ours->find('\0')) != theirs) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(as_text({data, size}));
  const auto uri = devtrust::parse_uri(text);
  if (!uri) {
    if (uri.error().code != devtrust::ErrorCode::kInvalidArgument || uri.error().message.empty()) std::abort();
    return 0;
  }
  if (uri->scheme != devtrust::UriScheme::kPkcs11) return 0;
  const std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)> theirs(p11_kit_uri_new(), p11_kit_uri_free);
  if (p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, theirs.get()) != P11_KIT_URI_OK) std::abort();
  same(p11_kit_uri_get_attribute(theirs.get(), CKA_LABEL), uri->object);
  same(p11_kit_uri_get_attribute(theirs.get(), CKA_ID),
       uri->id ? std::optional<std::string_view>(as_text(*uri->id)) : std::nullopt);
  same(p11_kit_uri_get_pin_value(theirs.get()),
       uri->pin_value ? std::optional<std::string_view>(as_text(*uri->pin_value)) : std::nullopt);
  same(p11_kit_uri_get_pin_source(theirs.get()), uri->pin_source);
  same(p11_kit_uri_get_module_path(theirs.get()), uri->module_path);
  return 0;
}
