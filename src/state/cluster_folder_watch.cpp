#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <thread>

#include "base/check.h"
#include "state/files.h"
#include "state/state_folder.h"

namespace vkb::state {
namespace fs = std::filesystem;

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBurst{200};
// Where the kernel has no watch left to give (fs.inotify limits), the folder is said to have
// changed at this interval: who asks re-reads it and finds it as it was.
constexpr std::chrono::milliseconds kBlind{2000};
constexpr std::uint32_t kMask = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;

}  // namespace

struct ClusterFolderWatch::Impl {
  fs::path root, clusters;
  std::function<void()> changed;
  UniqueFd inotify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};
  int root_watch = -1;
  bool blind = false;
  std::thread thread;

  int add(const fs::path& folder) {
    if (!inotify) {
      blind = true;
      return -1;
    }
    const int watch = ::inotify_add_watch(inotify.get(), folder.c_str(), kMask);
    // A folder that is gone again has told its parent's watch; anything else means no sight.
    if (watch < 0 && errno != ENOENT && errno != ENOTDIR) blind = true;
    return watch;
  }

  /// Watches all that is there; folders watched already stay as they are.
  void addAll() {
    blind = false;
    root_watch = add(root);  // notices `clusters` itself being made anew
    add(clusters);
    std::error_code error;
    fs::directory_iterator entry(clusters, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      add(entry->path());
    }
  }

  /// Takes what the kernel has queued. True when any of it concerns clusters/.
  bool drain() {
    bool concerns = false;
    alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
    for (;;) {
      const ssize_t n = ::read(inotify.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return concerns;
      for (ssize_t at = 0; at < n;) {
        inotify_event event{};
        std::memcpy(&event, buffer + at, sizeof event);
        const char* name = event.len > 0 ? buffer + at + sizeof event : "";
        concerns = concerns || event.wd != root_watch || clusters.filename() == name;
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
    }
  }

  /// Waits until something may be read, the time is over, or the end is asked for (false).
  bool wait(std::chrono::milliseconds timeout) {
    pollfd fds[2] = {{stop.get(), POLLIN, 0}, {inotify.get(), POLLIN, 0}};
    (void)::poll(fds, inotify ? 2 : 1, static_cast<int>(timeout.count()));
    return fds[0].revents == 0;
  }

  /// The rest of a burst: everything until kBurst after its first event.
  bool waitForBurst() {
    const auto end = SteadyClock::now() + kBurst;
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
      if (left.count() <= 0) return true;
      if (!wait(left)) return false;
      drain();
    }
  }

  void run() {
    (void)::pthread_setname_np(::pthread_self(), "cluster-watch");
    for (;;) {
      if (!wait(blind ? kBlind : std::chrono::milliseconds(-1))) return;
      const bool seen = drain();
      if (!seen && !blind) continue;
      if (!waitForBurst()) return;
      // New folders are watched before the caller looks: what was written into them earlier is
      // seen by that look, what comes later by the watch.
      addAll();
      changed();
    }
  }
};

ClusterFolderWatch::ClusterFolderWatch(const StateFolder& folder, std::function<void()> changed)
    : impl_(std::make_unique<Impl>()) {
  VKB_CHECK(impl_->stop, "the kernel gives no eventfd");
  impl_->root = folder.path();
  impl_->clusters = folder.path() / "clusters";
  impl_->changed = std::move(changed);
  impl_->addAll();
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

ClusterFolderWatch::~ClusterFolderWatch() {
  (void)::eventfd_write(impl_->stop.get(), 1);
  impl_->thread.join();
}

}  // namespace vkb::state
