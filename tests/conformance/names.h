// Names for numbers, so that failures read CKR_BUFFER_TOO_SMALL and not 0x150.
#pragma once

#include <gmock/gmock.h>

#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace devtrust::testing {

std::string rv_name(CK_RV rv);
std::string mechanism_name(CK_MECHANISM_TYPE type);
std::string attribute_name(CK_ATTRIBUTE_TYPE type);
/// All mechanisms that have a name here: more than any token that is tested has.
const std::vector<CK_MECHANISM_TYPE>& named_mechanisms();

/// Matches one return code, or any of several.
class RvIs {
 public:
  using is_gtest_matcher = void;

  explicit RvIs(CK_RV rv) : wanted_{rv} {}
  RvIs(std::initializer_list<CK_RV> any) : wanted_(any) {}
  bool MatchAndExplain(CK_RV rv, ::testing::MatchResultListener* listener) const;
  void DescribeTo(std::ostream* out) const;
  void DescribeNegationTo(std::ostream* out) const;

 private:
  std::vector<CK_RV> wanted_;
};

}  // namespace devtrust::testing
