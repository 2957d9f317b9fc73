#include "net/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/tls_text.h"

namespace vkb::net {
namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
struct X509Free {
  void operator()(X509* cert) const { X509_free(cert); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
using X509Ptr = std::unique_ptr<X509, X509Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyFree>;

/// Index under which an SSL carries its HandshakeReport.
int reportIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

HandshakeReport* reportOf(const SSL* ssl) {
  return static_cast<HandshakeReport*>(SSL_get_ex_data(ssl, reportIndex()));
}

/// Called by OpenSSL for each finding; only notes what it was, the verdict stays OpenSSL's.
int onVerify(int ok, X509_STORE_CTX* store) {
  if (ok == 1) return ok;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  HandshakeReport* report = ssl == nullptr ? nullptr : reportOf(ssl);
  if (report == nullptr || report->verify_error != 0) return ok;
  report->verify_error = X509_STORE_CTX_get_error(store);
  if (X509* cert = X509_STORE_CTX_get_current_cert(store); cert != nullptr) {
    report->subject = subjectText(cert);
    report->names = namesText(cert);
    report->not_before = timeText(X509_get0_notBefore(cert));
    report->not_after = timeText(X509_get0_notAfter(cert));
  }
  return ok;
}

/// The finding stays in the report and in the connection's verify result; the handshake goes on.
int onVerifyRequested(int ok, X509_STORE_CTX* store) {
  onVerify(ok, store);
  return 1;
}

/// OpenSSL calls this on a client only when the server asks for a certificate.
int onCertificateRequest(SSL* ssl, void*) {
  if (HandshakeReport* report = reportOf(ssl); report != nullptr) {
    report->client_certificate_requested = true;
  }
  return 1;
}

BioPtr bioOver(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Every certificate in `pem`, in its order; other blocks are skipped.
Result<std::vector<X509Ptr>> readCertificates(const std::string& pem, const char* what) {
  std::vector<X509Ptr> certs;
  const BioPtr bio = bioOver(pem);
  ERR_clear_error();
  while (X509* cert = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certs.emplace_back(cert);
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certs.empty() || (error != 0 && !at_end)) {
    return invalid(std::string("the ") + what +
                   " cannot be read; it must be one or more PEM blocks \"BEGIN CERTIFICATE\"");
  }
  return certs;
}

/// OpenSSL would ask on the terminal for the passphrase of an encrypted key.
int refusePassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<KeyPtr> readKey(const std::string& pem, const char* what) {
  const BioPtr bio = bioOver(pem);
  bool encrypted = false;
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refusePassphrase, &encrypted));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (encrypted) {
    return invalid(std::string("the ") + what +
                   " is encrypted with a passphrase; give it without one");
  }
  return invalid(std::string("the ") + what +
                 " cannot be read; it must be an RSA or EC private key in PEM (PKCS#1, SEC1 or "
                 "PKCS#8)");
}

Result<void> trust(SSL_CTX* ctx, const std::string& pem, const char* what) {
  auto certs = readCertificates(pem, what);
  if (!certs) return tl::unexpected(certs.error());
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  for (const X509Ptr& cert : *certs) X509_STORE_add_cert(store, cert.get());
  ERR_clear_error();
  return {};
}

/// `whose` is "client" or "server".
Result<void> present(SSL_CTX* ctx, const std::string& cert_pem, const std::string& key_pem,
                     const std::string& whose) {
  const std::string cert_name = whose + " certificate";
  const std::string key_name = whose + " key";
  auto certs = readCertificates(cert_pem, cert_name.c_str());
  if (!certs) return tl::unexpected(certs.error());
  auto key = readKey(key_pem, key_name.c_str());
  if (!key) return tl::unexpected(key.error());
  if (SSL_CTX_use_certificate(ctx, certs->front().get()) != 1) {
    return invalid("the " + cert_name + " cannot be used: " + takeErrorText());
  }
  for (std::size_t i = 1; i < certs->size(); ++i) {
    SSL_CTX_add1_chain_cert(ctx, (*certs)[i].get());
  }
  if (SSL_CTX_use_PrivateKey(ctx, key->get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    ERR_clear_error();
    return invalid("the " + key_name + " does not belong to the first certificate of the " +
                   cert_name + "; give the leaf certificate first and its own key");
  }
  return {};
}

void setProtocol(SSL_CTX* ctx) {
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  // Renegotiation would make a write read, which two threads on one connection cannot have.
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // OpenSSL's default list offers X448 early, which costs and which Go does not have.
  SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384:P-521");
  // Partial: a write takes what fits. Moving: the caller's buffer may be another one at the retry.
  // Release: an idle connection holds no 16 KiB buffers.
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  // One recv(2) a record instead of two.
  SSL_CTX_set_read_ahead(ctx, 1);
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const Endpoint& endpoint) {
  std::shared_ptr<TlsContext> context(new TlsContext(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* ctx = context->ctx_.get();
  if (ctx == nullptr) return invalid("OpenSSL cannot start: " + takeErrorText());
  setProtocol(ctx);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(ctx, kAlpn, sizeof kAlpn - 1);
  SSL_CTX_set_cert_cb(ctx, onCertificateRequest, nullptr);

  if (!endpoint.insecure_skip_verify) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, onVerify);
    context->verifies_peer_ = true;
    // As Go: whatever stands in the CA data is trusted, be it a root, an intermediate or the
    // server's own certificate; names are looked for in the SANs only, never in the CN.
    X509_VERIFY_PARAM* param = SSL_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (endpoint.ca_pem.empty()) {
      SSL_CTX_set_default_verify_paths(ctx);
    } else if (auto done = trust(ctx, endpoint.ca_pem, "certificate authority"); !done) {
      return tl::unexpected(done.error());
    }
  }
  if (!endpoint.client_cert_pem.empty() || !endpoint.client_key_pem.empty()) {
    if (auto done = present(ctx, endpoint.client_cert_pem, endpoint.client_key_pem, "client");
        !done) {
      return tl::unexpected(done.error());
    }
    context->has_certificate_ = true;
  }
  return context;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const ServerOptions& options) {
  std::shared_ptr<TlsContext> context(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* ctx = context->ctx_.get();
  if (ctx == nullptr) return invalid("OpenSSL cannot start: " + takeErrorText());
  setProtocol(ctx);
  static constexpr unsigned char kSessionContext[] = "vk-bridge";
  SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1);
  if (auto done = present(ctx, options.cert_pem, options.key_pem, "server"); !done) {
    return tl::unexpected(done.error());
  }
  context->has_certificate_ = true;
  if (options.client_certificates != ClientCertificates::kIgnored) {
    if (auto done = trust(ctx, options.client_ca_pem, "client certificate authority"); !done) {
      return tl::unexpected(done.error());
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    int mode = SSL_VERIFY_PEER;
    if (options.client_certificates == ClientCertificates::kRequired) {
      mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    const bool takes_any = options.client_certificates == ClientCertificates::kRequested;
    SSL_CTX_set_verify(ctx, mode, takes_any ? onVerifyRequested : onVerify);
    if (takes_any) {
      // A resumed session would carry a verdict from before the authorities or the time changed.
      SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
      SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
      SSL_CTX_set_num_tickets(ctx, 0);
    }
    context->verifies_peer_ = true;
  }
  return context;
}

SSL* TlsContext::newSsl(HandshakeReport* report) const {
  SSL* ssl = SSL_new(ctx_.get());
  if (ssl != nullptr) SSL_set_ex_data(ssl, reportIndex(), report);
  return ssl;
}

bool isIpLiteral(const std::string& host) {
  const std::string address = host.substr(0, host.find('%'));
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, address.c_str(), buffer) == 1 ||
         inet_pton(AF_INET6, address.c_str(), buffer) == 1;
}

}  // namespace vkb::net
