#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/abort_registry.h"
#include "net/breaks.h"
#include "net/http_client.h"
#include "net/http_connection.h"
#include "net/line_buffer.h"

namespace vkb::net {

/// A longer line is an error: no API object comes near it (etcd takes 1.5 MiB).
inline constexpr std::size_t kMaxLineBytes = 64u << 20;

/// HttpStream over a connection of its own, which it closes at its end.
class ConnectionStream final : public HttpStream {
 public:
  ConnectionStream(std::unique_ptr<Abortable> abortable, std::shared_ptr<Breaks> breaks,
                   std::unique_ptr<HttpConnection> connection, HttpResponse head)
      : abortable_(std::move(abortable)),
        breaks_(std::move(breaks)),
        connection_(std::move(connection)),
        head_(std::move(head)) {}

  const HttpResponse& head() const override { return head_; }
  int fd() const override { return connection_->socket()->fd(); }
  StreamLine tryReadLine() override;
  Status breakForSilence(std::chrono::milliseconds waited) override;
  Result<std::string> readAll(std::chrono::milliseconds timeout, std::size_t max_bytes) override;
  void abort() override { abortable_->handle().abort(); }

 private:
  tl::unexpected<Status> fail(Status status);
  tl::unexpected<Status> broke(Status status);

  std::unique_ptr<Abortable> abortable_;
  const std::shared_ptr<Breaks> breaks_;
  std::unique_ptr<HttpConnection> connection_;
  const HttpResponse head_;
  LineBuffer lines_;
  std::optional<Status> failed_;  ///< told again at each further call
};

}  // namespace vkb::net
