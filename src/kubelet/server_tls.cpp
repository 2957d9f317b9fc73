#include "kubelet/server_tls.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "json/json.h"

namespace vkb::kubelet {
namespace {

constexpr kube::Resource kConfigMaps{"", "v1", "configmaps", true};
constexpr std::chrono::seconds kClientCaInterval{60};

}  // namespace

std::shared_ptr<const net::TlsContext> ServerTls::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

/// Each trouble is told once, until it is another or over.
void ServerTls::complain(const std::string& what, std::string& last) {
  if (what == last) return;
  last = what;
  VKB_LOG(deps_.logger, Warn, "kubelet API", {"node", node_}, {"message", what});
}

Result<std::string> ServerTls::readClientCa() {
  if (!client_ca_file_.empty()) {
    std::ifstream file(client_ca_file_, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    if (!file || content.str().empty()) return invalid("cannot read " + client_ca_file_);
    return content.str();
  }
  const auto map = deps_.home.get(kConfigMaps, "kube-system", "extension-apiserver-authentication");
  if (!map) return failure(map.error());
  std::string pem = *map ? json::str(**map, {"data", "client-ca-file"}) : "";
  if (pem.empty()) {
    return invalid("home's configmap kube-system/extension-apiserver-authentication names none");
  }
  return pem;
}

void ServerTls::takeClientCa() {
  const TimePoint now = deps_.clock.now();
  if (ca_read_ && now - *ca_read_ < kClientCaInterval) return;
  auto read = readClientCa();
  if (read) {
    client_ca_ = std::move(*read);
    told_of_ca_.clear();
    ca_read_ = now;
  } else {
    complain("client certificates are not accepted until their authority is known: " +
                 read.error().message,
             told_of_ca_);
    if (client_ca_.empty()) return;
    ca_read_ = now;  // the one before still counts
  }
}

Result<void> ServerTls::refresh() {
  takeClientCa();
  auto pair = deps_.certificate->current();
  if (!pair) {
    complain("no new serving certificate: " + pair.error().message, told_of_certificate_);
    if (!current()) return failure(pair.error());
    pair = served_;
  } else {
    told_of_certificate_.clear();
  }
  if (current() && *pair == served_ && client_ca_ == served_ca_) return {};
  using ClientCertificates = net::TlsContext::ClientCertificates;
  auto context = net::TlsContext::server(
      {.cert_pem = pair->cert_pem,
       .key_pem = pair->key_pem,
       .client_ca_pem = client_ca_,
       .client_certificates =
           client_ca_.empty() ? ClientCertificates::kIgnored : ClientCertificates::kRequested});
  if (!context) {
    complain("its TLS settings cannot be used: " + context.error().message, told_of_certificate_);
    if (current()) return {};
    return failure(context.error());
  }
  served_ = std::move(*pair);
  served_ca_ = client_ca_;
  const std::lock_guard lock(mutex_);
  context_ = std::move(*context);
  return {};
}

}  // namespace vkb::kubelet
