#include "cli/session.h"

#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "kube/identity.h"
#include "kube/rest_client.h"

namespace vkb::cli {
namespace {

constexpr std::size_t kMaxThreads = 512;  // blocked in I/O, nearly all of them
constexpr std::chrono::milliseconds kPoll{200};
constexpr std::chrono::seconds kQuiet{2};

base::LogLevel levelOf(const std::string& name) {
  if (name == "debug") return base::LogLevel::kDebug;
  if (name == "warn") return base::LogLevel::kWarn;
  return name == "error" ? base::LogLevel::kError : base::LogLevel::kInfo;
}

/// One line that says what is waited for.
class ProgressLine {
 public:
  void show(const std::string& text) {
    if (text == shown_) return;
    if (terminal_) {
      std::fprintf(stderr, "\r\033[K%s", text.c_str());
    } else {
      std::fprintf(stderr, "%s\n", text.c_str());
    }
    std::fflush(stderr);
    shown_ = text;
  }
  ~ProgressLine() {
    if (terminal_ && !shown_.empty()) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  std::string shown_;
};

}  // namespace

std::string productVersion() { return "vk-bridge/" VKB_VERSION; }

std::filesystem::path CommonOptions::stateDir() const {
  return state_dir.empty() ? state::StateFolder::defaultPath() : std::filesystem::path(state_dir);
}

Session::Session(CommonOptions options)
    : options_(std::move(options)),
      logger_(levelOf(options_.log_level), options_.log_format == "json"
                                               ? base::StderrLogger::Format::kJson
                                               : base::StderrLogger::Format::kText),
      executor_(kMaxThreads) {}

Result<std::unique_ptr<kube::Client>> Session::connect(const kube::ClusterAccess& access,
                                                       const std::string& cluster,
                                                       std::shared_ptr<kube::IdentityProof> proof,
                                                       std::shared_ptr<net::EventThread> watches) {
  return kube::makeRestClient(access, clock_, random_, logger_, metrics_,
                              {.user_agent = productVersion(),
                               .cluster = cluster,
                               .watch_thread = std::move(watches),
                               .identity_proof = std::move(proof)});
}

Result<Session::Home> Session::connectHome() {
  Home home;
  auto access = kube::loadDefaultKubeconfig(options_.home_kubeconfig);
  if (!access) return failure(access.error());
  home.access = std::move(*access);
  auto client = connect(home.access, "home");
  if (!client) return failure(client.error());
  home.client = std::move(*client);
  auto id = kube::readClusterId(*home.client);
  if (!id) {
    Status status = id.error();
    status.message = "the home cluster: " + status.message;
    return failure(std::move(status));
  }
  home.id = std::move(*id);
  return home;
}

bool Session::waitUntil(Duration timeout, const std::function<bool()>& done,
                        const std::function<std::string()>& progress) {
  struct Wake {
    std::mutex mutex;
    std::condition_variable condition;
    int ticks = 0;
  };
  const auto wake = std::make_shared<Wake>();
  const TimePoint begin = clock_.now();
  ProgressLine line;
  for (int tick = 1;; ++tick) {
    if (done()) return true;
    const Duration waited = clock_.now() - begin;
    if (waited >= timeout) return false;
    if (waited >= kQuiet) line.show(progress());
    executor_.postAfter(kPoll, [wake] {
      std::lock_guard lock(wake->mutex);
      ++wake->ticks;
      wake->condition.notify_all();
    });
    std::unique_lock lock(wake->mutex);
    wake->condition.wait(lock, [&] { return wake->ticks >= tick; });
  }
}

}  // namespace vkb::cli
