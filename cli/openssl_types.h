// Owners for what of libcrypto only the command uses.
#pragma once

#include <openssl/cms.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>

#include <memory>

#include "identity/certificate.h"
#include "identity/openssl.h"

namespace devtrust::cli {

inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }

using X509Ptr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using X509CrlPtr = std::unique_ptr<X509_CRL, OpensslDeleter<X509_CRL_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), OpensslDeleter<free_certificates>>;
using X509StorePtr = std::unique_ptr<X509_STORE, OpensslDeleter<X509_STORE_free>>;
using X509StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, OpensslDeleter<X509_STORE_CTX_free>>;
using CmsPtr = std::unique_ptr<CMS_ContentInfo, OpensslDeleter<CMS_ContentInfo_free>>;
using Pkcs7Ptr = std::unique_ptr<PKCS7, OpensslDeleter<PKCS7_free>>;

/// In our library context; null where `der` is no certificate.
X509Ptr to_x509(ByteView der);
/// Reads `bytes`, which must live longer; throws std::bad_alloc.
BioPtr reader_of(ByteView bytes);
/// An empty stack; throws std::bad_alloc.
X509StackPtr make_stack();
/// Adds another reference to `certificate`; throws std::bad_alloc.
void push(STACK_OF(X509) * stack, X509* certificate);

Bytes der_of(const X509* certificate);
/// "-----BEGIN CERTIFICATE-----…"
std::string pem_of(const Certificate& certificate);
std::string subject_of(const X509* certificate);  ///< as name_text
Time to_time(const ASN1_TIME* time);              ///< the epoch where it is no time
/// Upper-case hexadecimal, as GnuPG writes a certificate's SHA-1 fingerprint.
std::string fingerprint_of(const X509* certificate);

}  // namespace devtrust::cli
