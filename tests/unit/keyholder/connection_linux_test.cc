#include "keyholder/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "identity/audit.h"
#include "pkcs11/instance.h"
#include "tests/support/pki.h"

namespace devtrust::keyholder {
namespace {

using devtrust::testing::read_file;
using devtrust::testing::TempDir;
using devtrust::testing::write_file;
using ::testing::HasSubstr;

/// What p11-kit calls for one client, in a thread of the client's own.
class Client {
 public:
  explicit Client(const Result<Config>& config) : configured_(config) {}

  CK_FUNCTION_LIST* operator->() const { return connection_functions(); }
  CK_SLOT_ID slot() const {
    CK_SLOT_ID slot = 0;
    CK_ULONG count = 1;
    EXPECT_EQ(connection_functions()->C_GetSlotList(CK_TRUE, &slot, &count), CKR_OK);
    return slot;
  }
  CK_SESSION_HANDLE open() const {
    CK_SESSION_HANDLE session = 0;
    EXPECT_EQ(connection_functions()->C_OpenSession(slot(), CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_OK);
    return session;
  }
  static std::vector<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class) {
    CK_ATTRIBUTE wanted{CKA_CLASS, &object_class, sizeof object_class};
    std::vector<CK_OBJECT_HANDLE> found(8);
    CK_ULONG count = 0;
    CK_FUNCTION_LIST* functions = connection_functions();
    EXPECT_EQ(functions->C_FindObjectsInit(session, &wanted, 1), CKR_OK);
    EXPECT_EQ(functions->C_FindObjects(session, found.data(), found.size(), &count), CKR_OK);
    EXPECT_EQ(functions->C_FindObjectsFinal(session), CKR_OK);
    found.resize(count);
    return found;
  }
  static CK_RV sign(CK_SESSION_HANDLE session) {
    const auto keys = find(session, CKO_PRIVATE_KEY);
    if (keys.empty()) return CKR_KEY_HANDLE_INVALID;
    CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
    std::array<CK_BYTE, 32> digest{};
    std::array<CK_BYTE, 64> signature{};
    CK_ULONG length = signature.size();
    CK_FUNCTION_LIST* functions = connection_functions();
    const CK_RV begun = functions->C_SignInit(session, &mechanism, keys.front());
    return begun != CKR_OK ? begun
                           : functions->C_Sign(session, digest.data(), digest.size(), signature.data(), &length);
  }

 private:
  const ConnectionConfig configured_;
  const pkcs11::ThreadInstance own_;
};

class ConnectionTest : public ::testing::Test {
 protected:
  explicit ConnectionTest(const std::string& password = {}) : pki_(folder_.path(), "ec:P-256") {
    database_ = std::make_unique<devtrust::testing::NssDatabase>(folder_ / "nssdb", password);
    database_->import(pki_.issue({.key = "ec:P-256"}));
    config_ = parse_config(
        "audit = \"" + audit_ + "\"\n[[store]]\nkind = \"nss\"\npath = \"" + (folder_ / "nssdb").string() + "\"\n",
        "config.toml");
  }
  template <typename Body>
  void as_client(const Body& body) {
    std::thread([this, &body] {
      const Client client(config_);
      body(client);
    }).join();
  }

  const TempDir folder_;
  const std::string audit_ = (folder_ / "audit").string();
  devtrust::testing::Pki pki_;
  std::unique_ptr<devtrust::testing::NssDatabase> database_;
  Result<Config> config_;
};

TEST_F(ConnectionTest, OneEndsItsOwnAndNoOthers) {
  as_client([this](const Client& first) {
    ASSERT_EQ(first->C_Initialize(nullptr), CKR_OK);
    EXPECT_EQ(first->C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    const CK_SESSION_HANDLE session = first.open();
    as_client([](const Client& second) {
      CK_INFO info{};
      EXPECT_EQ(second->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
      ASSERT_EQ(second->C_Initialize(nullptr), CKR_OK);
      second.open();
      EXPECT_EQ(second->C_Finalize(nullptr), CKR_OK);
      EXPECT_EQ(second->C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
      EXPECT_EQ(second->C_Initialize(nullptr), CKR_OK) << "and once more, to be ended with the connection";
    });
    EXPECT_EQ(Client::sign(session), CKR_OK);
  });
}

TEST_F(ConnectionTest, OneDoesNotReachAnothersSessions) {
  as_client([this](const Client& first) {
    ASSERT_EQ(first->C_Initialize(nullptr), CKR_OK);
    const CK_SESSION_HANDLE session = first.open();
    as_client([session](const Client& second) {
      ASSERT_EQ(second->C_Initialize(nullptr), CKR_OK);
      CK_SESSION_INFO info{};
      EXPECT_EQ(second->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
      EXPECT_EQ(second->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
      EXPECT_EQ(second->C_CloseAllSessions(second.slot()), CKR_OK);
    });
    CK_SESSION_INFO info{};
    EXPECT_EQ(first->C_GetSessionInfo(session, &info), CKR_OK);
  });
}

TEST_F(ConnectionTest, AuditLinesNameTheClient) {
  as_client([](const Client& client) {
    const KeyUser user{"git", 4711, "1234"};
    const ActingFor acting(user);
    ASSERT_EQ(client->C_Initialize(nullptr), CKR_OK);
    EXPECT_EQ(Client::sign(client.open()), CKR_OK);
  });
  EXPECT_THAT(read_file(audit_), HasSubstr("program=\"git\" pid=\"4711\" uid=\"1234\" profile=\"jumpcloud\""));
}

TEST_F(ConnectionTest, WhatTheClientPassesCountsForNothing) {
  write_file(folder_ / "other.toml", "");
  std::string parameters = "config=" + (folder_ / "other.toml").string();
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  arguments.pReserved = parameters.data();
  as_client([&arguments](const Client& client) {
    ASSERT_EQ(client->C_Initialize(&arguments), CKR_OK);
    EXPECT_EQ(Client::sign(client.open()), CKR_OK) << "by the configuration that this program read";
  });
}

TEST_F(ConnectionTest, NoCallWaits) {
  as_client([](const Client& client) {
    ASSERT_EQ(client->C_Initialize(nullptr), CKR_OK);
    CK_SLOT_ID slot = 0;
    EXPECT_EQ(client->C_WaitForSlotEvent(0, &slot, nullptr), CKR_FUNCTION_NOT_SUPPORTED);
    EXPECT_EQ(client->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, nullptr), CKR_NO_EVENT);
  });
}

TEST_F(ConnectionTest, AWrongConfigurationIsATokenThatSaysSo) {
  config_ = parse_config("nonsense = 1\n", "config.toml");
  as_client([](const Client& client) {
    ASSERT_EQ(client->C_Initialize(nullptr), CKR_OK);
    CK_SLOT_INFO info{};
    EXPECT_EQ(client->C_GetSlotInfo(client.slot(), &info), CKR_OK);
    EXPECT_THAT(std::string(reinterpret_cast<char*>(info.slotDescription), sizeof info.slotDescription),
                HasSubstr("config.toml:1:1"));
  });
}

class LockedConnectionTest : public ConnectionTest {
 protected:
  LockedConnectionTest() : ConnectionTest("a password") {}
  static CK_RV login(const Client& client, CK_SESSION_HANDLE session, std::string pin) {
    return client->C_Login(session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin.data()), pin.size());
  }
};

TEST_F(LockedConnectionTest, ALoginIsOneClients) {
  as_client([this](const Client& first) {
    ASSERT_EQ(first->C_Initialize(nullptr), CKR_OK);
    const CK_SESSION_HANDLE session = first.open();
    ASSERT_EQ(login(first, session, "a password"), CKR_OK);
    EXPECT_EQ(Client::sign(session), CKR_OK);
    as_client([](const Client& second) {
      ASSERT_EQ(second->C_Initialize(nullptr), CKR_OK);
      const CK_SESSION_HANDLE own = second.open();
      EXPECT_EQ(Client::sign(own), CKR_KEY_HANDLE_INVALID) << "it does not see the key";
      EXPECT_EQ(login(second, own, "another"), CKR_PIN_INCORRECT);
      EXPECT_EQ(login(second, own, "a password"), CKR_OK);
      EXPECT_EQ(second->C_Logout(own), CKR_OK);
    });
    EXPECT_EQ(Client::sign(session), CKR_OK) << "the other's logout is the other's";
  });
}

}  // namespace
}  // namespace devtrust::keyholder
