// A double of Security.framework for systems that have none: what tests ask of it, and bring about in it.
//
// A keychain is a text file: lines of settings, then PEM blocks of certificates and PKCS#8 keys. A certificate and the
// key that is its own make an identity. The settings:
//   locked               its keys are used only after a dialog
//   asks                 so are they, since this program is not in the access list
//   refused              and the user says no
//   wrong-password       errSecAuthFailed for every use of a key
//   unreadable           the user may not read the file
//   also PATH            a search in it gives that keychain's items, too
//   mismatched           identities have the other keys
//   lacks ALGORITHM      by the end of the constant's name
// Search lists are in HOME's Library/Preferences/com.apple.security.plist: "user PATH" or "system PATH" on each line.
// The data-protection keychain is HOME's Library/Keychains/data-protection; where it is missing, this program has no
// entitlement. Objects are counted; what uses one that is gone, or anything in a forked child, ends the process.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

/// Objects that somebody still holds.
std::size_t security_double_live_objects();
/// Counts of calls and planned failures begin anew.
void security_double_reset();
/// How often the user was asked.
std::size_t security_double_dialogs();
/// How often a function was called.
std::size_t security_double_calls(const char* function);
/// The next `times` calls of a function fail with this status.
void security_double_fail(const char* function, std::int32_t status, std::size_t times);
/// The same with an error of this domain, for functions that have a CFErrorRef.
void security_double_fail_with(const char* function, const char* domain, long code, std::size_t times);
/// The next signature is this many bytes shorter.
void security_double_shorten_signature(std::size_t bytes);
}
