// Kubeconfigs. What loads is also flattened and loaded again, as `join` does.
#include "kube/kubeconfig.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/check.h"
#include "fuzz/input.h"

namespace {

using namespace vkb;

/// A file in memory; its path changes between runs of one process never, between processes hardly.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("kubeconfig", MFD_CLOEXEC)) {
    VKB_CHECK(fd_ >= 0, "no memory file");
  }
  std::string holding(std::string_view text) const {
    VKB_CHECK(::ftruncate(fd_, 0) == 0, "cannot empty the file");
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t n = ::pwrite(fd_, text.data() + at, text.size() - at, static_cast<off_t>(at));
      VKB_CHECK(n > 0, "cannot fill the file");
      at += static_cast<std::size_t>(n);
    }
    return "/proc/self/fd/" + std::to_string(fd_);
  }

 private:
  const int fd_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const MemoryFile file;
  const std::string_view text = fuzz::Input(data, size).rest();
  const auto access = kube::loadKubeconfig(file.holding(text));
  if (!access) {
    VKB_CHECK(!access.error().message.empty(), "a refusal without words");
    return 0;
  }
  const auto again = kube::loadKubeconfig(file.holding(kube::flatten(*access)));
  VKB_CHECK(again.has_value(), "a flattened kubeconfig does not load");
  VKB_CHECK(again->server == access->server && again->ca_pem == access->ca_pem &&
                again->client_cert_pem == access->client_cert_pem &&
                again->client_key_pem == access->client_key_pem && again->token == access->token &&
                again->token_file == access->token_file && again->username == access->username &&
                again->password == access->password &&
                again->tls_server_name == access->tls_server_name &&
                again->proxy_url == access->proxy_url && again->ns == access->ns &&
                again->insecure_skip_tls_verify == access->insecure_skip_tls_verify,
            "flattening changes a kubeconfig");
  VKB_CHECK(again->exec.has_value() == access->exec.has_value(), "flattening changes the plugin");
  if (access->exec) {
    VKB_CHECK(again->exec->command == access->exec->command &&
                  again->exec->args == access->exec->args && again->exec->env == access->exec->env,
              "flattening changes the plugin's call");
  }
  return 0;
}
