// A PKCS#11 module that passes SoftHSM on, and misbehaves as a test asks it to.
#pragma once

#include "pkcs11/cryptoki.h"

struct TokenDouble {
  bool removed = false;           // no token is in its slot
  bool no_slots = false;          // as p11-kit's client without a server
  bool own_reader = false;        // the PIN is typed there: CKF_PROTECTED_AUTHENTICATION_PATH
  bool pin_at_each_use = false;   // CKA_ALWAYS_AUTHENTICATE
  bool nameless_key = false;      // the private key does not say its public half
  bool wrong_signature = false;   // it is another key that signs
  bool cannot_lock = false;       // CKR_CANT_LOCK
  CK_FLAGS more_token_flags = 0;  // as CKF_USER_PIN_COUNT_LOW
  CK_ULONG few_sessions = 0;      // how many there are at most; 0: as many as SoftHSM has
  CK_RV next_sign = CKR_OK;       // what the next C_Sign answers instead
  CK_RV login = CKR_OK;           // what C_Login answers instead
  CK_ULONG more_signature = 0;    // longer than the buffer by this
  CK_ULONG more_found = 0;        // C_FindObjects' count is wrong by this
  CK_ULONG more_attribute = 0;    // so is an attribute's length in the second call
  CK_ULONG huge_attribute = 0;    // what all lengths are
  CK_ULONG more_slots = 0;        // C_GetSlotList's count is wrong by this
  void (*during_slot_list)() = nullptr;

  int initialized = 0, finalized = 0, logins = 0, uses_with_pin = 0, sessions = 0;
};

using TokenDoubleKnobs = TokenDouble* (*)();
