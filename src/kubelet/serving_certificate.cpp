#include "kubelet/serving_certificate.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace vkb::kubelet {
namespace {

constexpr std::chrono::hours kLifetime{24 * 365};
/// Clocks differ.
constexpr std::chrono::hours kBackdate{1};

/// What changes when a file does: a rename or a Secret's symlink swap gives another inode.
std::string stampOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "missing";
  return std::to_string(info.st_ino) + "/" + std::to_string(info.st_size) + "/" +
         std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
}

Result<std::string> contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (file) return content.str();
  return invalid("cannot read " + path + ": " + std::generic_category().message(errno) +
                 "; it holds the certificate or key of the kubelet API");
}

class FileCertificate final : public ServingCertificate {
 public:
  FileCertificate(std::string cert_path, std::string key_path)
      : cert_path_(std::move(cert_path)), key_path_(std::move(key_path)) {}

  Result<net::CertificatePair> current() override {
    const std::string stamp = stampOf(cert_path_) + " " + stampOf(key_path_);
    if (known_ && stamp == stamp_) return *known_;
    auto cert = contentOf(cert_path_);
    if (!cert) return failure(cert.error());
    auto key = contentOf(key_path_);
    if (!key) return failure(key.error());
    net::CertificatePair pair{std::move(*cert), std::move(*key)};
    // Between the writes of two files they do not belong together: the old pair is served on.
    const auto fits = net::TlsContext::server({.cert_pem = pair.cert_pem, .key_pem = pair.key_pem});
    if (!fits) {
      Status status = fits.error();
      status.message += " (" + cert_path_ + ", " + key_path_ + ")";
      return failure(std::move(status));
    }
    stamp_ = stamp;
    known_ = std::move(pair);
    return *known_;
  }

 private:
  const std::string cert_path_, key_path_;
  std::string stamp_;
  std::optional<net::CertificatePair> known_;
};

class SelfSigned final : public ServingCertificate {
 public:
  SelfSigned(const Clock& clock, SelfSignedOptions options)
      : clock_(clock), options_(std::move(options)) {}

  Result<net::CertificatePair> current() override {
    if (!known_) {
      auto kept = options_.load();
      if (!kept) return failure(kept.error());
      if (*kept) known_ = net::CertificatePair{**kept, **kept};
    }
    if (known_ && isFit(*known_)) return *known_;
    return renew();
  }

 private:
  bool isFit(const net::CertificatePair& pair) const {
    const auto facts = net::readCertificate(pair.cert_pem);
    if (!facts || !net::TlsContext::server({.cert_pem = pair.cert_pem, .key_pem = pair.key_pem})) {
      return false;
    }
    const WallTime now = clock_.wallNow();
    const auto has = [](const std::vector<std::string>& all, const std::string& one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    return now >= facts->not_before && facts->not_after - now > kLifetime / 5 &&
           has(facts->dns, options_.node) &&
           std::all_of(options_.ips.begin(), options_.ips.end(),
                       [&](const std::string& ip) { return has(facts->ips, ip); });
  }

  Result<net::CertificatePair> renew() {
    const WallTime now = clock_.wallNow();
    // The subject that kubernetes.io/kubelet-serving demands, should it be signed by home one day.
    auto made = net::makeSelfSigned({.common_name = "system:node:" + options_.node,
                                     .organizations = {"system:nodes"},
                                     .dns = {options_.node},
                                     .ips = options_.ips,
                                     .not_before = now - kBackdate,
                                     .not_after = now + kLifetime});
    if (!made) return made;
    if (auto saved = options_.save(made->key_pem + made->cert_pem); !saved) {
      return failure(saved.error());
    }
    known_ = std::move(*made);
    return *known_;
  }

  const Clock& clock_;
  const SelfSignedOptions options_;
  std::optional<net::CertificatePair> known_;
};

}  // namespace

std::unique_ptr<ServingCertificate> certificateFromFiles(std::string cert_path,
                                                         std::string key_path) {
  return std::make_unique<FileCertificate>(std::move(cert_path), std::move(key_path));
}

std::unique_ptr<ServingCertificate> selfSignedCertificate(const Clock& clock,
                                                          SelfSignedOptions options) {
  return std::make_unique<SelfSigned>(clock, std::move(options));
}

}  // namespace vkb::kubelet
