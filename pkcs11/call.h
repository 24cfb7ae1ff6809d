// The barrier that every entry point passes: exceptions, forks, cancellation, the trace and the return code.
#pragma once

#include <exception>
#include <initializer_list>
#include <new>

#include "identity/foreign_call.h"
#include "identity/fork.h"
#include "identity/process.h"
#include "pkcs11/instance.h"
#include "pkcs11/trace_call.h"

namespace devtrust::pkcs11 {

/// Runs `body`, which answers Answer<>: nothing is thrown further, and what became of it is traced here.
template <typename Body>
CK_RV call(const char* function, std::initializer_list<Argument> arguments, const Body& body) noexcept {
  const NoCancellation guard;
  try {
    const CallTrace trace(function, {arguments.begin(), arguments.size()});
    if (ForeignCall::inside()) {
      return trace.finish(CKR_FUNCTION_FAILED, "the PKCS#11 module of a [[store]] leads back to devtrust itself");
    }
    try {
      const Answer<> answer = body();
      return answer ? trace.finish(CKR_OK) : trace.finish(answer.error().rv, answer.error().message.c_str());
    } catch (const std::bad_alloc&) {
      return trace.finish(CKR_HOST_MEMORY);
    } catch (const std::exception& error) {
      return trace.finish(CKR_GENERAL_ERROR, error.what());
    } catch (...) {
      return trace.finish(CKR_GENERAL_ERROR);
    }
  } catch (...) {  // the trace itself found no memory
    return CKR_HOST_MEMORY;
  }
}

/// The same for what needs the library and may wait for long in it: `body(Library&)`.
template <typename Body>
CK_RV waiting_call(const char* function, std::initializer_list<Argument> arguments, const Body& body) noexcept {
  return call(function, arguments, [&body]() -> Answer<> {
    const LibraryUse use;
    if (use.get() == nullptr) return refuse(CKR_CRYPTOKI_NOT_INITIALIZED);
    return body(*use.get());
  });
}

/// The same for what comes back soon: what it frees on the way may take global locks of libcrypto's, too.
template <typename Body>
CK_RV library_call(const char* function, std::initializer_list<Argument> arguments, const Body& body) noexcept {
  const ForkHold hold;
  return waiting_call(function, arguments, body);
}

/// The same for what needs a session, whose mutex is held: `body(Library&, Session&)`.
template <typename Body>
CK_RV session_call(const char* function, std::initializer_list<Argument> arguments, CK_SESSION_HANDLE handle,
                   const Body& body) noexcept {
  return library_call(function, arguments, [&body, handle](Library& library) -> Answer<> {
    const SessionPtr session = library.find_session(handle);
    if (!session) return refuse(CKR_SESSION_HANDLE_INVALID);
    const std::lock_guard lock(session->mutex());
    return body(library, *session);
  });
}

/// What a caller passes as (pointer, length). CKR_ARGUMENTS_BAD where the pointer is NULL although there is a length.
inline Answer<ByteView> input(const CK_BYTE* data, CK_ULONG length) {
  if (data == nullptr && length > 0) return refuse(CKR_ARGUMENTS_BAD, "the data is NULL although it has a length");
  return ByteView(data, length);
}

/// The output-length rules: true where the `needed` bytes can be written to `data`; false where only the length was
/// asked for (it is set); CKR_BUFFER_TOO_SMALL (it is set); CKR_ARGUMENTS_BAD.
inline Answer<bool> has_room(const CK_BYTE* data, CK_ULONG* length, CK_ULONG needed) {
  if (length == nullptr) return refuse(CKR_ARGUMENTS_BAD, "there is no place for the output's length");
  if (data != nullptr && *length >= needed) return true;
  const bool asked = data == nullptr;
  *length = needed;
  if (asked) return false;
  return refuse(CKR_BUFFER_TOO_SMALL);
}

/// An operation ends with the call, whatever becomes of it, unless the call says that it goes on.
template <typename Operation>
class Ending {
 public:
  explicit Ending(std::optional<Operation>& operation) : operation_(operation) {}
  ~Ending() {
    if (!goes_on_) operation_.reset();
  }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  void go_on() { goes_on_ = true; }

 private:
  std::optional<Operation>& operation_;
  bool goes_on_ = false;
};

/// has_room for an operation's last step: it goes on where the output was not written.
template <typename Operation>
Answer<bool> has_room(Ending<Operation>& ending, const CK_BYTE* data, CK_ULONG* length, CK_ULONG needed) {
  auto room = has_room(data, length, needed);
  if (room ? !*room : room.error().rv == CKR_BUFFER_TOO_SMALL) ending.go_on();
  return room;
}

/// C_…Init: `begin` answers the operation. A NULL mechanism cancels the one that is running.
template <typename Operation, typename Begin>
Answer<> begin_operation(std::optional<Operation>& operation, const CK_MECHANISM* mechanism, const Begin& begin) {
  if (mechanism == nullptr) {
    if (!operation) return refuse(CKR_ARGUMENTS_BAD, "the mechanism is NULL");
    operation.reset();
    return {};
  }
  if (operation) return refuse(CKR_OPERATION_ACTIVE);
  if (mechanism->pParameter == nullptr && mechanism->ulParameterLen > 0) {
    return refuse(CKR_MECHANISM_PARAM_INVALID, "the mechanism's parameter is NULL although it has a length");
  }
  Answer<Operation> begun = begin();
  if (!begun) return tl::unexpected(std::move(begun.error()));
  operation = *std::move(begun);
  return {};
}

/// C_…Update: an error ends the operation.
template <typename Operation>
Answer<> update_operation(std::optional<Operation>& operation, const CK_BYTE* data, CK_ULONG length) {
  if (!operation) return refuse(CKR_OPERATION_NOT_INITIALIZED);
  Ending ending(operation);
  const auto part = input(data, length);
  if (!part) return tl::unexpected(part.error());
  auto updated = operation->update(*part);
  if (updated) ending.go_on();
  return updated;
}

/// The same for ciphers, whose output comes with the last part: RSA knows no others.
template <typename Operation>
Answer<> gather(std::optional<Operation>& operation, const CK_BYTE* data, CK_ULONG length, CK_ULONG* output_length) {
  if (operation && output_length == nullptr) {
    operation.reset();
    return refuse(CKR_ARGUMENTS_BAD, "there is no place for the output's length");
  }
  auto updated = update_operation(operation, data, length);
  if (updated) *output_length = 0;
  return updated;
}

}  // namespace devtrust::pkcs11
