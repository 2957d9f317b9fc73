#pragma once

#include <openssl/x509.h>

#include <string>

namespace vkb::net {

/// "CN=kube-apiserver,O=…", one line.
std::string subjectText(X509* cert);
/// DNS names and addresses a certificate is good for, joined with ", "; the first dozen.
std::string namesText(X509* cert);
/// "2026-01-31 12:00:00 UTC"
std::string timeText(const ASN1_TIME* time);
/// The oldest error of this thread's OpenSSL queue in words; empties the queue.
std::string takeErrorText();

}  // namespace vkb::net
