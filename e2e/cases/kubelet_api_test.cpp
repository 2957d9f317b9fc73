// kubectl logs, exec, attach, cp and port-forward against home, on containers that run in the
// target.

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>
#include <regex>
#include <sstream>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/tls_client.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

using ::testing::AssertionResult;

class KubeletApi : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "kubelet"}); }

  /// A pod that runs; its namespace.
  static std::string podInOwnNamespace(const std::string& hint, const Shape& shape = {}) {
    const std::string ns = world().newNamespace(hint);
    world().home.create(makePod(ns, "p", world().node, shape));
    const AssertionResult ready = world().waitReady(ns, "p");
    if (!ready) throw std::runtime_error(ready.message());
    return ns;
  }
  static Outcome kubectl(const std::string& ns, std::vector<std::string> arguments,
                         const std::string& input = {}) {
    arguments.insert(arguments.begin(), {"--namespace", ns});
    return world().home.run(arguments, input);
  }
  static std::string logs(const std::string& ns, std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"--namespace", ns, "logs", "p"});
    return world().home.must(flags);
  }
  static std::string exec(const std::string& ns, const std::string& script) {
    return world().home.must({"--namespace", ns, "exec", "p", "--", "sh", "-c", script});
  }
};

/// A running kubectl whose output is read as it comes, and that can be written to.
class Session {
 public:
  explicit Session(const std::vector<std::string>& argv) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
      throw std::runtime_error("pipe");
    const Fd child_in(in[0]), child_out(out[1]);
    in_ = Fd(in[1]);
    out_ = Fd(out[0]);
    child_ = std::make_unique<Child>(
        argv, Child::Streams{child_in.get(), child_out.get(), child_out.get()});
  }
  void write(const std::string& text) {
    ASSERT_EQ(::write(in_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// Reads until `text` has come; false at the end or after 30 s.
  bool await(const std::string& text) { return readUntil(out_.get(), seen, text); }
  std::optional<Exit> wait() { return child_->wait(in(seconds(30))); }
  Child& child() { return *child_; }

  static bool readUntil(int fd, std::string& seen, const std::string& text) {
    const Deadline deadline = in(seconds(30));
    while (seen.find(text) == std::string::npos) {
      pollfd entry{fd, POLLIN, 0};
      if (::poll(&entry, 1, pollTimeout(deadline)) != 1) return false;
      char buffer[4096];
      const ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0) return false;
      seen.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  }

  std::string seen;  ///< everything so far

 private:
  Fd in_, out_;
  std::unique_ptr<Child> child_;
};

TEST_F(KubeletApi, LogsHonourEveryOption) {
  const std::string ns = podInOwnNamespace(
      "logs", {.script = std::string("for i in 1 2 3 4 5; do echo line $i; done; ") + kIdle});
  EXPECT_EQ(logs(ns), "line 1\nline 2\nline 3\nline 4\nline 5\n");
  EXPECT_EQ(logs(ns, {"--tail=2"}), "line 4\nline 5\n");
  EXPECT_EQ(logs(ns, {"--tail=0"}), "") << "none, not all";
  EXPECT_EQ(logs(ns, {"--limit-bytes=6"}), "line 1");
  EXPECT_EQ(logs(ns, {"--since=1h", "--tail=1"}), "line 5\n");
  EXPECT_EQ(logs(ns, {"--since-time=2035-01-01T00:00:00Z"}), "");
  EXPECT_EQ(logs(ns, {"--since-time=2001-01-01T00:00:00Z", "--tail=1"}), "line 5\n");
  const std::string stamped = logs(ns, {"--timestamps", "--tail=1"});
  EXPECT_TRUE(stamped.starts_with("20") && stamped.ends_with("Z line 5\n")) << stamped;
  EXPECT_EQ(logs(ns, {"-c", "main", "--tail=1"}), "line 5\n");
}

TEST_F(KubeletApi, LogsFollowLiveUntilTheContainerEnds) {
  const std::string ns = podInOwnNamespace(
      "follow", {.script = "echo begin; until [ -f /tmp/go ]; do sleep 1; done; echo end",
                 .restart_policy = "Never"});
  Session follower(world().home.argv({"--namespace", ns, "logs", "-f", "p"}));
  ASSERT_TRUE(follower.await("begin\n")) << follower.seen;
  exec(ns, "touch /tmp/go");
  EXPECT_TRUE(follower.await("end\n")) << follower.seen;
  EXPECT_EQ(follower.wait(), (Exit{0, 0})) << "it ends with the container";
  EXPECT_EQ(follower.seen, "begin\nend\n");
}

TEST_F(KubeletApi, LogsOfTheRunBeforeARestart) {
  const std::string ns = podInOwnNamespace(
      "previous",
      {.script = "cat /proc/sys/kernel/random/uuid; until [ -f /tmp/stop ]; do sleep 1; "
                 "done; exit 1"});
  const std::string first = logs(ns);
  EXPECT_EQ(kubectl(ns, {"logs", "p", "--previous"}).exit.code, 1) << "there was none";
  exec(ns, "touch /tmp/stop");
  ASSERT_TRUE(waitForOne(world().home, "pods", ns, "p", "one restart", [](const Json& pod) {
    const Json& containers = json::array(pod, {"status", "containerStatuses"});
    return !containers.empty() && json::integer(containers[0], {"restartCount"}) == 1 &&
           isRunningAndReady(pod);
  }));
  EXPECT_EQ(logs(ns, {"--previous"}), first);
  EXPECT_NE(logs(ns), first);
}

TEST_F(KubeletApi, ExecKeepsStdinStdoutStderrAndExitCodesApart) {
  const std::string ns = podInOwnNamespace("exec");
  const Outcome outcome = kubectl(
      ns, {"exec", "-i", "p", "--", "sh", "-c", "cat; echo to stderr >&2; exit 3"}, "from stdin\n");
  EXPECT_EQ(outcome.out, "from stdin\n");
  EXPECT_EQ(outcome.err, "to stderr\ncommand terminated with exit code 3\n");
  EXPECT_EQ(outcome.exit.code, 3);
  EXPECT_EQ(exec(ns, "echo \"a & b = 'c' %41 +\""), "a & b = 'c' %41 +\n");
  EXPECT_EQ(exec(ns, "x='" + std::string(64 * 1024, '%') + "'; echo ${#x}"), "65536\n")
      << "a command of 64 KiB";
}

TEST_F(KubeletApi, ATerminalHasASizeThatFollowsTheUsersWindow) {
  const std::string ns = podInOwnNamespace("tty");
  const Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(master && ::grantpt(master.get()) == 0 && ::unlockpt(master.get()) == 0);
  char path[64];
  ASSERT_EQ(::ptsname_r(master.get(), path, sizeof path), 0);
  const Fd slave(::open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
  const auto resize = [&](unsigned short rows, unsigned short columns) {
    const winsize size{rows, columns, 0, 0};
    ASSERT_EQ(::ioctl(master.get(), TIOCSWINSZ, &size), 0);
  };
  resize(31, 101);
  Child kubectl(world().home.argv({"--namespace", ns, "exec", "-it", "p", "--", "sh"}),
                {slave.get(), slave.get(), slave.get()});
  std::string seen;
  const auto say = [&](const std::string& text) {
    ASSERT_EQ(::write(master.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  };
  // The size is sent beside the shell's start: asked for until it is there.
  say("until [ \"$(stty size)\" = '31 101' ]; do sleep 1; done; echo size-is-$((30+1))\n");
  ASSERT_TRUE(Session::readUntil(master.get(), seen, "size-is-31")) << seen;
  resize(40, 120);
  kubectl.signal(SIGWINCH);
  say("until [ \"$(stty size)\" = '40 120' ]; do sleep 1; done; echo now-$((39+1))\n");
  ASSERT_TRUE(Session::readUntil(master.get(), seen, "now-40")) << seen;
  say("exit 5\n");
  EXPECT_EQ(kubectl.wait(in(seconds(30))), (Exit{5, 0})) << seen;
}

TEST_F(KubeletApi, TwoHundredMegabytesEachWayAtOnceArriveUnchanged) {
  const std::string ns = podInOwnNamespace("flood");
  const Fd input = memoryFile(), output = memoryFile(), errors = memoryFile();
  std::string block(1 << 20, '\0');
  std::uint64_t state = 88172645463325252ULL;
  for (int i = 0; i < 200; ++i) {
    for (char& c : block) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      c = static_cast<char>(state);
    }
    ASSERT_EQ(::write(input.get(), block.data(), block.size()), static_cast<ssize_t>(block.size()));
  }
  ::lseek(input.get(), 0, SEEK_SET);
  const auto begun = Clock::now();
  Child cat(world().home.argv({"--namespace", ns, "exec", "-i", "p", "--", "cat"}),
            {input.get(), output.get(), errors.get()});
  ASSERT_EQ(cat.wait(in(seconds(240))), (Exit{0, 0})) << readAll(errors.get());
  const std::chrono::duration<double> took = Clock::now() - begun;
  std::cout << "200 MB each way at once: " << 200 / took.count() << " MB/s\n";
  EXPECT_TRUE(readAll(input.get()) == readAll(output.get()));
}

TEST_F(KubeletApi, CopiesFilesBothWays) {
  const std::string ns = podInOwnNamespace("cp");
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "tree/deep");
  std::ofstream(folder.path() / "tree/small") << "small";
  std::ofstream(folder.path() / "tree/deep/large") << std::string(5 << 20, 'x') << "end";
  const auto cp = [&](const std::string& from, const std::string& to) {
    const Outcome outcome = kubectl(ns, {"cp", from, to});
    EXPECT_TRUE(outcome.ok()) << outcome.describe();
  };
  cp((folder.path() / "tree").string(), "p:/tmp/tree");
  EXPECT_EQ(exec(ns, "cat /tmp/tree/small; wc -c < /tmp/tree/deep/large"), "small5242883\n");
  cp("p:/tmp/tree", (folder.path() / "back").string());
  const auto original = snapshotOf(folder.path() / "tree"),
             back = snapshotOf(folder.path() / "back");
  EXPECT_TRUE(original == back);
}

TEST_F(KubeletApi, AttachTalksToTheMainProcess) {
  const std::string ns = world().newNamespace("attach");
  Json pod = makePod(ns, "p", world().node,
                     {.script = "while read -r line; do echo got $line; done; echo bye"});
  pod["spec"]["containers"][0]["stdin"] = true;
  pod["spec"]["containers"][0]["stdinOnce"] = true;
  pod["spec"]["restartPolicy"] = "Never";
  world().home.create(pod);
  ASSERT_TRUE(world().waitReady(ns, "p"));
  Session attached(world().home.argv({"--namespace", ns, "attach", "-i", "p"}));
  attached.write("hello\n");
  EXPECT_TRUE(attached.await("got hello\n")) << attached.seen;
}

/// Body of one plain HTTP GET.
std::string download(std::uint16_t port, const std::string& path) {
  const Fd socket = tcpConnect("127.0.0.1", port);
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: x\r\n\r\n";
  if (::write(socket.get(), request.data(), request.size()) < 0) return "";
  std::string answer;
  char buffer[65536];
  for (ssize_t n; (n = ::read(socket.get(), buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(n));
  }
  const auto body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "" : answer.substr(body + 4);
}

TEST_F(KubeletApi, PortForwardCarriesParallelDownloads) {
  const std::string ns = podInOwnNamespace(
      "forward",
      {.script = "mkdir /tmp/www; dd if=/dev/urandom of=/tmp/www/file bs=1M count=20 2>/dev/null; "
                 "echo hello > /tmp/www/hello; touch /tmp/ready; httpd -f -p 8080 -h /tmp/www",
       .ready_file = "/tmp/ready"});
  Session forward(world().home.argv({"--namespace", ns, "port-forward", "p", ":8080"}));
  ASSERT_TRUE(forward.await(" -> 8080")) << forward.seen;
  const auto at = forward.seen.find("127.0.0.1:") + 10;
  const auto port = static_cast<std::uint16_t>(std::stoi(forward.seen.substr(at)));
  EXPECT_EQ(download(port, "/hello"), "hello\n");
  std::vector<std::future<std::string>> downloads;
  for (int i = 0; i < 6; ++i) {
    downloads.push_back(std::async(std::launch::async, [&] { return download(port, "/file"); }));
  }
  const std::string first = downloads[0].get();
  EXPECT_EQ(first.size(), 20U << 20);
  for (std::size_t i = 1; i < downloads.size(); ++i) EXPECT_TRUE(downloads[i].get() == first) << i;
}

/// A container runtime names each process that it starts by a random number.
std::string withoutIds(const std::string& text) {
  return std::regex_replace(text, std::regex("[0-9a-f]{64}"), "ID");
}

TEST_F(KubeletApi, ErrorsReadAsOnAnOrdinaryNode) {
  const std::string ns = podInOwnNamespace("errors");
  Json waiting = makePod(ns, "waiting", world().node);
  waiting["spec"]["containers"][0]["image"] = "no-such-image:e2e";
  waiting["spec"]["containers"][0]["imagePullPolicy"] = "Never";
  world().home.create(waiting);
  ASSERT_TRUE(
      waitForOne(world().home, "pods", ns, "waiting", "ErrImageNeverPull",
                 [](const Json& pod) { return waitingReasonOf(pod) == "ErrImageNeverPull"; }));
  // The same question to home and to the target, whose node is an ordinary one.
  for (const std::vector<std::string>& question :
       std::vector<std::vector<std::string>>{{"logs", "ghost"},
                                             {"logs", "waiting"},
                                             {"logs", "p", "-c", "nope"},
                                             {"logs", "p", "--previous"},
                                             {"exec", "ghost", "--", "ls"},
                                             {"exec", "waiting", "--", "ls"},
                                             {"exec", "p", "-c", "nope", "--", "ls"},
                                             {"exec", "p", "--", "/no/such/program"},
                                             {"attach", "waiting"}}) {
    std::vector<std::string> arguments{"--namespace", ns};
    arguments.insert(arguments.end(), question.begin(), question.end());
    const Outcome here = world().home.run(arguments), there = world().target.run(arguments);
    EXPECT_EQ(here.exit, there.exit) << here.describe() << there.describe();
    EXPECT_EQ(withoutIds(here.err), withoutIds(there.err)) << here.describe() << there.describe();
    EXPECT_NE(here.exit.code, 0);
  }
}

TEST_F(KubeletApi, ServesItsOwnPagesThroughHomesApiServer) {
  const std::string ns = podInOwnNamespace("pages");
  const std::string proxy = "/api/v1/nodes/" + world().node + "/proxy";
  const auto page = [&](const std::string& path) {
    return world().home.must({"get", "--raw", proxy + path});
  };
  EXPECT_EQ(page("/healthz"), "ok");
  const auto holdsPod = [&](const std::string& text) {
    const auto pods = json::parse(text);
    if (!pods) return false;
    for (const Json& pod : json::array(*pods, {"items"})) {
      if (json::str(pod, {"metadata", "namespace"}) == ns) return true;
    }
    return false;
  };
  EXPECT_TRUE(holdsPod(page("/pods")));
  EXPECT_TRUE(holdsPod(page("/runningpods/")));
  EXPECT_NE(page("/metrics/resource").find("scrape_error 0"), std::string::npos)
      << "a target without metrics is no error";
  const auto summary = json::parse(page("/stats/summary"));
  ASSERT_TRUE(summary);
  EXPECT_EQ(json::str(*summary, {"node", "nodeName"}), world().node);
}

}  // namespace
}  // namespace vkb::e2e
