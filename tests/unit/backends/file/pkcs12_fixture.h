// PKCS#12 files, and whether all of them is read.
#pragma once

#include "backends/file/pkcs12.h"
#include "tests/unit/backends/file/fixture.h"

namespace devtrust::testing {

class Pkcs12 : public FileTest {
 protected:
  static Result<Pkcs12Contents> read(const fs::path& file, std::optional<std::string_view> password) {
    const std::string content = read_file(file);
    EXPECT_TRUE(looks_like_pkcs12(as_bytes(content))) << file;
    return read_pkcs12(as_bytes(content), password);
  }
  static void expect_whole(const fs::path& file, std::optional<std::string_view> password, const Leaf& of) {
    const auto contents = read(file, password);
    ASSERT_TRUE(contents) << file << ": " << contents.error().message;
    EXPECT_EQ(contents->certificates.size(), 3U) << file;
    ASSERT_EQ(contents->keys.size(), 1U) << file;
    EXPECT_EQ(spki_of(contents->keys[0]), spki_of(of.key)) << file;
    EXPECT_TRUE(contents->problems.empty()) << file;
    const std::string der = must_run({"openssl", "x509", "-in", of.certificate.string(), "-outform", "DER"});
    EXPECT_THAT(contents->certificates, ::testing::Contains(to_bytes(as_bytes(der)))) << file;
  }
};

}  // namespace devtrust::testing
