// Calls into a module that may lead back to us.
#pragma once

namespace devtrust {

/// While it lives, this thread is inside somebody else's PKCS#11 module, on which a store stands. What calls us then
/// was led back by that module (p11-kit's proxy shows all modules, ours among them), and would wait for itself.
class ForeignCall {
 public:
  ForeignCall();
  ~ForeignCall();
  ForeignCall(const ForeignCall&) = delete;
  ForeignCall& operator=(const ForeignCall&) = delete;

  /// Whether this thread is inside one: asked by whoever is called. The answer is remembered.
  static bool inside();
  /// Whether somebody asked since the outermost one began.
  static bool came_back();
};

}  // namespace devtrust
