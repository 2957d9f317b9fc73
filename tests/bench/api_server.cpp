#include "bench/api_server.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>
#include <vector>

#include "base/check.h"
#include "bench/pods.h"
#include "net/tls_test_server.h"

namespace vkb::bench {
namespace {

using test::ReceivedRequest;
using test::TestConnection;

std::size_t numberIn(const std::string& target, const std::string& key, std::size_t otherwise) {
  const std::size_t at = target.find(key + "=");
  return at == std::string::npos ? otherwise
                                 : std::strtoul(target.c_str() + at + key.size() + 1, nullptr, 10);
}

class Answers {
 public:
  void serve(TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      const bool all = request->target.find("/all/") != std::string::npos;
      if (request->target == "/pod") {
        connection.write(pod_);
      } else if (request->target.find("watch=true") != std::string::npos) {
        watch(connection, all);
      } else {
        connection.write(all ? page(request->target) : empty_);
      }
    }
  }

 private:
  static std::string whole(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  /// Made once each: pages of 500 are what the client asks for.
  static std::vector<std::string> makePages() {
    constexpr std::size_t kPage = 500;
    std::vector<std::string> pages;
    for (std::size_t first = 0; first < kPodCount; first += kPage) {
      const std::size_t next = first + kPage;
      pages.push_back(
          whole(podListJson(first, kPage, "2000", next < kPodCount ? std::to_string(next) : "")));
    }
    return pages;
  }

  /// The last page with the version of its last pod raised.
  static std::string changed(std::string page) {
    const std::string old = R"("resourceVersion":"1000")";
    const std::size_t at = page.rfind(old);
    return page.replace(at, old.size(), R"("resourceVersion":"1001")");
  }

  const std::string& page(const std::string& target) {
    const std::size_t number = numberIn(target, "continue", 0) / 500;
    VKB_CHECK(numberIn(target, "limit", 0) == 500, "the pages are of 500");
    if (number + 1 < pages_.size()) return pages_[number];
    return lists_++ == 0 ? pages_.back() : changed_;
  }

  void watch(TestConnection& connection, bool all) {
    connection.startChunked();
    if (!all) {
      for (const std::string& line : events_) connection.chunk(line);
    } else if (watches_++ == 0) {
      connection.chunk(
          R"({"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410}})"
          "\n");
      connection.endChunked();
    }
    connection.waitForEnd();
  }

  static std::vector<std::string> makeEvents() {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < kEventCount; ++i) {
      const bool first = i < kPodCount;
      lines.push_back(R"({"type":")" + std::string(first ? "ADDED" : "MODIFIED") +
                      R"(","object":)" + podJson(i % kPodCount, std::to_string(1000 + i)) + "}\n");
    }
    return lines;
  }

  const std::string pod_ = whole(podJson(0));
  const std::string empty_ =
      whole(R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[]})");
  const std::vector<std::string> pages_ = makePages();
  const std::string changed_ = changed(pages_.back());
  const std::vector<std::string> events_ = makeEvents();
  std::atomic<int> lists_{0}, watches_{0};
};

}  // namespace

void useCore(int which) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  int seen = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || seen++ != which) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

ApiServer::ApiServer() {
  const test::TestCa ca;
  ca_pem_ = ca.pem();
  int port_pipe[2], life_pipe[2];
  VKB_CHECK(::pipe(port_pipe) == 0 && ::pipe(life_pipe) == 0, "no pipe");
  process_ = ::fork();
  VKB_CHECK(process_ >= 0, "no process");
  if (process_ == 0) {
    ::close(life_pipe[1]);
    useCore(1);
    {
      Answers answers;
      const test::TlsTestServer server({.cert = ca.issue({.ips = {"127.0.0.1"}})},
                                       [&](TestConnection& c) { answers.serve(c); });
      const std::uint16_t port = server.port();
      VKB_CHECK(::write(port_pipe[1], &port, sizeof port) == sizeof port, "no parent");
      char byte = 0;
      while (::read(life_pipe[0], &byte, 1) > 0) {
      }
    }
    ::_exit(0);
  }
  ::close(life_pipe[0]);
  ::close(port_pipe[1]);
  life_ = life_pipe[1];
  VKB_CHECK(::read(port_pipe[0], &port_, sizeof port_) == sizeof port_, "the server did not start");
  ::close(port_pipe[0]);
  useCore(0);
}

ApiServer::~ApiServer() {
  ::close(life_);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace vkb::bench
