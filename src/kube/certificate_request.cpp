// Key and PKCS#10 request of a serving certificate, and the object that carries it.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/base64.h"
#include "kube/serving_certificate.h"

namespace vkb::kube {
namespace {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Request = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

tl::unexpected<Status> failed(const char* what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return failure(
      {.code = 0,
       .reason = reasons::kInternal,
       .message = std::string("cannot make a certificate request: ") + what + ": " + text.data()});
}

std::string textOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

/// "DNS:a, IP:192.0.2.1" in OpenSSL's own notation. Nothing: a name that would end the entry.
std::optional<std::string> alternativeNames(const std::vector<std::string>& dns,
                                            const std::vector<std::string>& ips) {
  std::string text;
  const auto add = [&text](const char* kind, const std::string& name) {
    if (name.empty() || name.find_first_of(", \t\r\n") != std::string::npos) return false;
    text += (text.empty() ? "" : ",") + std::string(kind) + name;
    return true;
  };
  for (const std::string& name : dns) {
    if (!add("DNS:", name)) return std::nullopt;
  }
  for (const std::string& address : ips) {
    if (!add("IP:", address)) return std::nullopt;
  }
  return text;
}

bool addSubject(X509_REQ* request, const std::string& node) {
  X509_NAME* subject = X509_REQ_get_subject_name(request);
  const auto add = [subject](const char* field, const std::string& value) {
    return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  return add("O", "system:nodes") && add("CN", "system:node:" + node);
}

bool addAlternativeNames(X509_REQ* request, const std::string& names) {
  const Extension extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
  if (!extension) return false;
  STACK_OF(X509_EXTENSION)* list = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(list, extension.get());
  const bool added = X509_REQ_add_extensions(request, list) == 1;
  sk_X509_EXTENSION_free(list);  // the extension itself is ours
  return added;
}

/// 16 hex digits that stand for this text.
std::string shortDigest(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 15];
  }
  return out;
}

}  // namespace

Result<CertificateRequest> newServingRequest(const std::string& node,
                                             const std::vector<std::string>& dns,
                                             const std::vector<std::string>& ips) {
  const auto names = alternativeNames(dns, ips);
  if (!names || names->empty()) {
    return invalid("a serving certificate needs at least one DNS name or IP address");
  }
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return failed("key");
  const Request request(X509_REQ_new());
  if (!request || X509_REQ_set_pubkey(request.get(), key.get()) != 1) return failed("public key");
  if (!addSubject(request.get(), node)) return failed("subject");
  if (!addAlternativeNames(request.get(), *names)) return failed("names and addresses");
  if (X509_REQ_sign(request.get(), key.get(), EVP_sha256()) <= 0) return failed("signature");
  const Bio key_text(BIO_new(BIO_s_mem())), request_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr) != 1 ||
      PEM_write_bio_X509_REQ(request_text.get(), request.get()) != 1) {
    return failed("PEM");
  }
  return CertificateRequest{textOf(key_text.get()), textOf(request_text.get())};
}

Json servingCertificateRequest(const std::string& node, const std::string& request_pem) {
  return {{"apiVersion", "certificates.k8s.io/v1"},
          {"kind", "CertificateSigningRequest"},
          {"metadata", {{"name", node + "-serving-" + shortDigest(request_pem)}}},
          {"spec",
           {{"request", base64Encode(request_pem)},
            {"signerName", "kubernetes.io/kubelet-serving"},
            // 1.20 fails what leaves out "key encipherment", though an EC key does none.
            {"usages", Json::array({"digital signature", "key encipherment", "server auth"})}}}};
}

CertificateAnswer certificateAnswer(const Json& request) {
  using State = CertificateAnswer::State;
  for (const Json& condition : json::array(request, {"status", "conditions"})) {
    const std::string type = json::str(condition, "type");
    if (type != "Denied" && type != "Failed") continue;
    std::string why = type;
    for (const char* key : {"reason", "message"}) {
      if (const std::string text = json::str(condition, key); !text.empty()) why += ": " + text;
    }
    return {State::kRefused, "", why};
  }
  const auto pem = base64Decode(json::str(request, {"status", "certificate"}));
  if (!pem || pem->empty()) return {};
  return {State::kIssued, *pem, ""};
}

}  // namespace vkb::kube
