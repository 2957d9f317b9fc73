#include "support/bridge.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "support/kubeconfig.h"

namespace vkb::e2e {

Bridge::Bridge(const Environment& environment, std::filesystem::path folder)
    : program_(environment.bridge_program),
      home_kubeconfig_(environment.home_kubeconfig),
      kubectl_(environment.kubectl),
      state_(folder / "state"),
      log_(folder / "run.log"),
      port_(freePort()) {}

Outcome Bridge::command(std::vector<std::string> arguments, seconds patience) const {
  arguments.insert(arguments.begin(), program_);
  const auto given = [&](const std::string& flag) {
    return std::find(arguments.begin(), arguments.end(), flag) != arguments.end();
  };
  if (!given("--home-kubeconfig")) {
    arguments.insert(arguments.end(), {"--home-kubeconfig", home_kubeconfig_});
  }
  arguments.insert(arguments.end(), {"--state-dir", state_.string()});
  return runCommand(arguments, "", in(patience));
}

Json Bridge::status(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments{"status", "-o", "json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = command(arguments);
  Json value = Json::parse(outcome.out, nullptr, false);
  if (!outcome.ok() || value.is_discarded()) throw std::runtime_error(outcome.describe());
  return value;
}

void Bridge::start() {
  if (isRunning()) throw std::runtime_error("the bridge runs already");
  const Fd log(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  child_ = std::make_unique<Child>(
      std::vector<std::string>{program_, "run", "--home-kubeconfig", home_kubeconfig_,
                               "--state-dir", state_.string(), "--listen",
                               "127.0.0.1:" + std::to_string(port_), "--log-level", "debug"},
      Child::Streams{-1, log.get(), log.get()});
}

bool Bridge::isRunning() { return child_ && child_->isRunning(); }

void Bridge::signal(int number) {
  if (child_) child_->signal(number);
}

Exit Bridge::waitExit(seconds patience) {
  if (!child_) throw std::runtime_error("the bridge was not started");
  const std::optional<Exit> exit = child_->wait(in(patience));
  if (!exit) throw std::runtime_error("the bridge does not end");
  child_.reset();
  return *exit;
}

Exit Bridge::stop() {
  signal(SIGTERM);
  return waitExit();
}

void Bridge::killHard() {
  if (!child_) return;
  signal(SIGKILL);
  waitExit();
}

Outcome Bridge::http(const std::string& path) const {
  return runCommand({kubectl_, "--kubeconfig", "/dev/null", "--server",
                     "http://127.0.0.1:" + std::to_string(port_), "get", "--raw", path},
                    "", in(seconds(10)));
}

std::string Bridge::log() const {
  std::ostringstream text;
  text << std::ifstream(log_).rdbuf();
  return text.str();
}

std::string Bridge::logTail(std::size_t lines) const {
  const std::string text = log();
  std::size_t from = text.size();
  while (lines > 0 && from > 0) {
    from = text.rfind('\n', from - 1);
    if (from == std::string::npos) return text;
    --lines;
  }
  return text.substr(from);
}

}  // namespace vkb::e2e
