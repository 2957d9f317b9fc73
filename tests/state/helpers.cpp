#include "helpers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace vkb::state::test {
namespace fs = std::filesystem;

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "vkb-state-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

StateFolder TempFolder::open() const {
  auto folder = StateFolder::open(path_ / "state");
  if (!folder) std::abort();
  return *folder;
}

void Child::Pipe::say(const std::string& line) const {
  const std::string text = line + "\n";
  if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(9);
}

Child::Child(const std::function<void(const Pipe&)>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    body(Pipe(ends[1]));
    ::_exit(0);
  }
  ::close(ends[1]);
  fd_ = ends[0];
}

Child::~Child() {
  kill();
  ::close(fd_);
}

std::string Child::line() {
  std::string text;
  char c = 0;
  while (::read(fd_, &c, 1) == 1) {
    if (c == '\n') return text;
    text += c;
  }
  return text;
}

void Child::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void spill(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

unsigned modeOf(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return 0;
  return info.st_mode & 07777U;
}

PodRecord fullRecord(const std::string& uid, const std::string& node) {
  const auto time = [](std::int64_t micros) { return WallTime(std::chrono::microseconds(micros)); };
  return {.uid = uid,
          .ns = "demo",
          .name = "web-" + uid,
          .node = node,
          .state = PodRecord::State::kTerminal,
          .place_ns = "demo-there",
          .place_name = "web-there",
          .provider_uid = "9c5e-" + uid,
          .attempt_expires = time(1'795'300'000'123'456),
          .inputs_hash = "v1:abc",
          .phase = "Running",
          .ready = true,
          .restarts = 7,
          .provider_node = "worker-1",
          .home_created = time(1'795'200'000'000'001),
          .lag = std::chrono::milliseconds(42),
          .last_error = "Forbidden: exceeded quota \"größe\"\nsecond line",
          .last_error_at = time(1'795'300'000'000'999)};
}

}  // namespace vkb::state::test
