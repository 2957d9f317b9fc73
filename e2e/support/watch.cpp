#include "support/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::e2e {

namespace {

/// For failure messages: what one looks at first, in one line an object.
std::string summary(const Objects& objects) {
  std::string text;
  for (const auto& [key, object] : objects) {
    text += "\n  " + key + " uid=" + json::str(object, {"metadata", "uid"}) +
            (json::str(object, {"metadata", "deletionTimestamp"}).empty() ? "" : " deleting") +
            " status=" + json::at(object, "status").dump();
    if (!json::str(object, "reason").empty()) {
      text += " reason=" + json::str(object, "reason") + " message=" + json::str(object, "message");
    }
  }
  return text.empty() ? " (nothing)" : text;
}

}  // namespace

Watch::Watch(const Cluster& cluster, const Selection& selection,
             const std::string& resource_version) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  out_ = Fd(ends[0]);
  const Fd write_end(ends[1]);
  // --raw: one event a line as it comes, from exactly this resourceVersion, without discovery.
  const std::string path =
      queryOf(selection) + "watch=1&timeoutSeconds=3600&resourceVersion=" + resource_version;
  child_ = std::make_unique<Child>(cluster.argv({"get", "--raw", path}),
                                   Child::Streams{-1, write_end.get(), -1});
}

std::optional<WatchEvent> Watch::next(Deadline deadline) {
  const std::optional<std::string> line = nextLine(deadline);
  if (!line) return std::nullopt;
  Json event = Json::parse(*line, nullptr, false);
  const std::string type = json::str(event, "type");
  if (type.empty() || type == "ERROR") {  // 410 and the like: the caller lists again
    ended_ = true;
    return std::nullopt;
  }
  return WatchEvent{type, std::make_shared<const Json>(std::move(event["object"])), Clock::now()};
}

std::optional<std::string> Watch::nextLine(Deadline deadline) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (ended_) return std::nullopt;
    pollfd readable{out_.get(), POLLIN, 0};
    if (::poll(&readable, 1, pollTimeout(deadline)) <= 0) return std::nullopt;
    std::array<char, 65536> bytes;
    const ssize_t n = ::read(out_.get(), bytes.data(), bytes.size());
    if (n <= 0) {
      ended_ = true;
    } else {
      buffer_.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }
}

testing::AssertionResult waitFor(const Cluster& cluster, const Selection& selection,
                                 const std::string& what,
                                 const std::function<bool(const Objects&)>& holds, Objects* last,
                                 milliseconds patience) {
  const Deadline deadline = in(patience);
  Objects objects;
  bool reached = false;
  while (!reached && Clock::now() < deadline) {
    std::string version;
    objects = cluster.list(selection, &version);
    reached = holds(objects);
    if (reached) break;
    Watch watch(cluster, selection, version);
    while (!reached && !watch.ended()) {
      const std::optional<WatchEvent> event = watch.next(deadline);
      if (!event) {
        if (Clock::now() >= deadline) break;
        continue;  // ended: list again
      }
      if (event->type == "DELETED") {
        objects.erase(keyOf(*event->object));
      } else {
        objects[keyOf(*event->object)] = *event->object;
      }
      reached = holds(objects);
    }
  }
  if (last != nullptr) *last = objects;
  if (reached) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "waited " << std::chrono::duration_cast<seconds>(patience).count() << " s for " << what
         << "; last seen of " << queryOf(selection) << ":" << summary(objects);
}

testing::AssertionResult waitForOne(const Cluster& cluster, const std::string& resource,
                                    const std::string& ns, const std::string& name,
                                    const std::string& what,
                                    const std::function<bool(const Json&)>& holds, Json* last,
                                    milliseconds patience) {
  Objects objects;
  const auto one = [&holds](const Objects& found) {
    return holds(found.empty() ? Json() : found.begin()->second);
  };
  const auto result =
      waitFor(cluster, {resource, ns, "", "metadata.name=" + name}, what, one, &objects, patience);
  if (last != nullptr) *last = objects.empty() ? Json() : objects.begin()->second;
  return result;
}

testing::AssertionResult waitGone(const Cluster& cluster, const std::string& resource,
                                  const std::string& ns, const std::string& name,
                                  milliseconds patience) {
  return waitForOne(
      cluster, resource, ns, name, resource + " " + ns + "/" + name + " to be gone",
      [](const Json& object) { return object.is_null(); }, nullptr, patience);
}

}  // namespace vkb::e2e
