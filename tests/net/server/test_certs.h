#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace vkb::test {

/// A certificate with its private key, as PEM text.
struct CertPair {
  std::string cert_pem;  ///< leaf first, then intermediates
  std::string key_pem;
};

enum class KeyKind { kEc, kRsa };
enum class KeyFormat { kPkcs8, kTraditional };  ///< the latter: SEC1 for EC, PKCS#1 for RSA

struct CertSpec {
  std::string common_name = "server";
  std::vector<std::string> organizations{};
  std::vector<std::string> dns{};
  std::vector<std::string> ips{};
  std::chrono::hours valid_from{-1};  ///< relative to now
  std::chrono::hours valid_to{24};
  KeyKind key = KeyKind::kEc;
  KeyFormat format = KeyFormat::kPkcs8;
};

/// A certificate authority that lives as long as a test.
class TestCa {
 public:
  explicit TestCa(const std::string& common_name = "test CA");

  const std::string& pem() const { return pem_; }
  CertPair issue(const CertSpec& spec) const;
  /// An authority below this one; what it issues carries the intermediate in its chain.
  TestCa intermediate(const std::string& common_name) const;

 private:
  struct KeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct CertFree {
    void operator()(X509* cert) const { X509_free(cert); }
  };
  TestCa(const std::string& common_name, const TestCa* parent);

  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> cert_;
  std::string pem_;
  std::string chain_pem_;  ///< empty for a root
};

}  // namespace vkb::test
