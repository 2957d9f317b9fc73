#pragma once

#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/rest_client_over.h"
#include "kube/server_url.h"
#include "kube_fixture.h"
#include "scripted_transport.h"
#include "support/fake_runtime.h"

namespace vkb::test {

/// The requests and answers of one real server (tests/kube/testdata/recorded) behind the REST
/// client: a request gets the answer of the first step that was asked the same thing, byte order
/// and our own ?timeout= aside. One that was never asked is answered 599 and kept in `unknown`.
class RecordedServer {
 public:
  RecordedServer(const std::string& scenario, const std::string& version)
      : recording_(Json::parse(std::ifstream(
            sourcePath("tests/kube/testdata/recorded/" + scenario + "-" + version + ".json")))) {
    auto transport = std::make_unique<ScriptedTransport>();
    transport_ = transport.get();
    transport_->answer = [this](const net::HttpRequest& request) { return answer(request); };
    kube::RestClientOptions options;
    options.user_agent = "vk-bridge/test";
    client_ = kube::makeRestClientOver(
        {clock_, logger_, metrics_, std::move(transport),
         std::make_unique<kube::Credentials>(
             kube::ClusterAccess{}, clock_, logger_,
             [](const kube::ClusterAccess&) { return Result<kube::ExecCredential>(); })},
        "https://recorded", options);
  }

  kube::Client& client() { return *client_; }
  /// The step with this note, or the `index`-th that is a request ("") or a watch ("watch").
  const Json& step(const std::string& note, std::size_t index = 0) const {
    for (const Json& step : recording_["steps"]) {
      const bool hit = note == "watch" ? step.contains("watch")
                       : note.empty()  ? step.contains("request")
                                       : step.value("note", "") == note;
      if (hit && index-- == 0) return step;
    }
    throw std::runtime_error("no step " + note);
  }
  const Json& body(const std::string& note) const { return step(note)["response"]["body"]; }
  /// The next watch gets the lines of a recorded one, and its end in order.
  void playWatch(std::size_t index) {
    transport_->stream = std::make_shared<StreamScript>();
    for (const Json& line : step("watch", index)["lines"]) transport_->stream->push(line.dump());
    transport_->stream->finish({});
  }
  /// Steps that have been answered are not found again: the next of the same kind is.
  bool once = false;
  std::vector<std::string> unknown;

 private:
  using Query = std::map<std::string, std::string>;
  static std::pair<std::string, Query> split(const std::string& target) {
    const std::size_t mark = target.find('?');
    std::pair<std::string, Query> out{target.substr(0, mark), {}};
    for (std::size_t at = mark; at < target.size();) {
      const std::size_t end = std::min(target.find('&', at + 1), target.size());
      const std::string part = target.substr(at + 1, end - at - 1);
      const std::size_t equals = part.find('=');
      if (part.substr(0, equals) != "timeout") {
        out.second[part.substr(0, equals)] = kube::percentDecode(part.substr(equals + 1));
      }
      at = end;
    }
    return out;
  }
  static bool same(const Json& asked, const net::HttpRequest& request) {
    if (asked["method"] != request.method || split(asked["path"]) != split(request.target)) {
      return false;
    }
    const std::string type = asked.value("contentType", "");
    if (!type.empty() && type != headerOf(request, "Content-Type")) return false;
    if (!asked.contains("body") || asked["body"].is_null()) return true;
    return asked["body"] == Json::parse(request.body, nullptr, false);
  }
  Result<net::HttpResponse> answer(const net::HttpRequest& request) {
    for (Json& step : recording_["steps"]) {
      if (!step.contains("request") || step.value("used", false)) continue;
      if (!same(step["request"], request)) continue;
      if (once) step["used"] = true;
      net::HttpResponse response{step["response"]["code"], {}, ""};
      for (const Json& header : step["response"].value("headers", Json::array())) {
        response.headers.emplace_back(header[0], header[1]);
      }
      const Json& text = step["response"]["body"];
      response.body = text.is_string() ? text.get<std::string>() : text.dump();
      return response;
    }
    unknown.push_back(request.method + " " + request.target + " " + request.body);
    return net::HttpResponse{599, {}, "never asked: " + unknown.back()};
  }

  Json recording_;
  FakeClock clock_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  ScriptedTransport* transport_ = nullptr;
  std::unique_ptr<kube::Client> client_;
};

}  // namespace vkb::test
