#include "cli/setup/json_member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace devtrust::cli {
namespace {

const JsonPath kPath{"policies", "SecurityDevices", "Add", "devtrust"};
constexpr const char* kValue = R"("/usr/lib/devtrust-pkcs11.so")";

TEST(JsonMember, MakesAFileAndNamesItForDeletion) {
  const auto made = with_json_member(std::nullopt, kPath, kValue);
  ASSERT_TRUE(made);
  EXPECT_EQ(*made,
            "{ \"policies\": {\"SecurityDevices\": {\"Add\": {\"devtrust\": \"/usr/lib/devtrust-pkcs11.so\"}}} }\n");
  const auto undone = without_json_member(*made, kPath);
  ASSERT_TRUE(undone);
  EXPECT_EQ(*undone, std::nullopt);
}

TEST(JsonMember, ComesAndGoesWithEveryOtherByteAsItWas) {
  const std::vector<std::string> texts{
      "{}",
      " { } \n",
      "{\n}\n",
      "{\"policies\":{}}",
      "{\"policies\": {\"SecurityDevices\": {\"Add\": {}}}}",
      "{\"policies\": {\"SecurityDevices\": {\"Add\": {\"devtrust2\": \"/a\"}}}}",
      "{\r\n\t\"policies\" :\t{ \"URL\": \"https://a/\" , \"SecurityDevices\" : { \"Delete\": [\"a,b\", {}] } } }",
      R"({"a": [1, -2.5e3, true, null, "}\"{,"], "policies": {"SecurityDevices": {"Add": { "x" : "y" } } }, "z": {}})",
      "{\"polic\\u0069es\": {\"a\": {\"devtrust\": 1}}}\n",
      "{\"policies\": {\"x\": 1}, \"policies\": {\"y\": 2}}",
      "\xEF\xBB\xBF{\"policies\": {}}",
  };
  for (const std::string& text : texts) {
    const auto with = with_json_member(text, kPath, kValue);
    ASSERT_TRUE(with) << text;
    EXPECT_EQ(*json_member(*with, kPath), kValue) << *with;
    EXPECT_EQ(*with_json_member(*with, kPath, kValue), *with) << *with;
    const auto without = without_json_member(*with, kPath);
    ASSERT_TRUE(without) << *with;
    EXPECT_EQ(*without, text) << *with;
    EXPECT_EQ(*without_json_member(text, kPath), text);
  }
}

TEST(JsonMember, IsTakenFromWhereverOthersMovedIt) {
  for (const char* text : {R"({"a": 1, "devtrust": "x", "z": 2})", R"({"devtrust": "x", "a": 1, "z": 2})",
                           R"({"a": 1, "z": 2, "devtrust": "x"})"}) {
    EXPECT_EQ(*without_json_member(text, {"devtrust"}),
              text[2] == 'd' ? R"({ "a": 1, "z": 2})" : R"({"a": 1, "z": 2})");
  }
}

TEST(JsonMember, ReplacesTheValueInItsPlace) {
  EXPECT_EQ(*with_json_member(R"({"a": {"b": [1, {"c": "]"}] }, "d": 1})", {"a", "b"}, "2"),
            R"({"a": {"b": 2 }, "d": 1})");
}

TEST(JsonMember, WhatIsNoneIsRefused) {
  for (const char* text : {"", "{", "[]", "1", "{\"policies\": 1}", "{\"policies\": {}} x", "{'policies': {}}",
                           "// {}\n{}", "{\"policies\": {\"SecurityDevices\": [\"Add\"]}}"}) {
    EXPECT_FALSE(with_json_member(text, kPath, kValue)) << text;
    EXPECT_FALSE(without_json_member(text, kPath)) << text;
    EXPECT_FALSE(json_member(text, kPath)) << text;
  }
}

}  // namespace
}  // namespace devtrust::cli
