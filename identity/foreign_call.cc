#include "identity/foreign_call.h"

namespace devtrust {
namespace {

thread_local unsigned depth = 0;
thread_local bool asked = false;

}  // namespace

ForeignCall::ForeignCall() {
  if (depth++ == 0) asked = false;
}
ForeignCall::~ForeignCall() { --depth; }

bool ForeignCall::inside() {
  if (depth == 0) return false;
  asked = true;
  return true;
}

bool ForeignCall::came_back() { return asked; }

}  // namespace devtrust
