#include "net/http_head.h"

#include <algorithm>
#include <charconv>

#include "net/transport_errors.h"

namespace vkb::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool isTokenChar(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), isTokenChar);
}

bool isFieldValue(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

tl::unexpected<Status> malformed(const char* what) {
  return failure(unanswered(std::string("the answer is not proper HTTP/1.1: ") + what));
}

/// Takes one line off the front, without its CRLF (or bare LF, which RFC 9112 §2.2 lets pass).
std::string_view takeLine(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Size of the head with its empty line; 0 while that has not come.
std::size_t headSize(std::string_view bytes) {
  for (std::size_t at = bytes.find('\n'); at != std::string_view::npos;
       at = bytes.find('\n', at + 1)) {
    if (bytes.substr(at + 1, 1) == "\n") return at + 2;
    if (bytes.substr(at + 1, 2) == "\r\n") return at + 3;
  }
  return 0;
}

/// "HTTP/1.1 200 OK"
bool parseStatusLine(std::string_view line, ResponseHead& head) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return false;
  if (line[7] != '0' && line[7] != '1') return false;
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, head.response.code);
  if (error != std::errc() || end != line.data() + 12) return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  head.keep_alive = line[7] == '1';
  return head.response.code >= 100;
}

bool listHas(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (equalsIgnoringCase(trim(list.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

/// RFC 9112 §6.3. Two ways to see the end of a body would let a proxy and us disagree, so anything
/// ambiguous is refused.
Result<void> decideFraming(ResponseHead& head, bool for_head) {
  bool chunked = false;
  std::optional<std::uint64_t> length;
  for (const auto& [name, value] : head.response.headers) {
    if (equalsIgnoringCase(name, "Connection") && listHas(value, "close")) head.keep_alive = false;
    if (equalsIgnoringCase(name, "Transfer-Encoding")) {
      if (chunked || !equalsIgnoringCase(value, "chunked")) {
        return malformed("a transfer encoding other than chunked");
      }
      chunked = true;
    }
    if (equalsIgnoringCase(name, "Content-Length")) {
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (value.empty() || error != std::errc() || end != value.data() + value.size() ||
          (length && *length != number)) {
        return malformed("a bad Content-Length");
      }
      length = number;
    }
  }
  const int code = head.response.code;
  if (for_head || code < 200 || code == 204 || code == 304) {
    head.framing = Framing::kNone;
  } else if (chunked) {
    head.framing = Framing::kChunked;
    if (length) head.keep_alive = false;
  } else if (length) {
    head.framing = Framing::kLength;
    head.length = *length;
  } else {
    head.framing = Framing::kUntilClose;
    head.keep_alive = false;
  }
  return {};
}

bool isOurs(std::string_view name) {
  return equalsIgnoringCase(name, "Host") || equalsIgnoringCase(name, "Content-Length") ||
         equalsIgnoringCase(name, "Connection") || equalsIgnoringCase(name, "Transfer-Encoding");
}

/// Never shows a value: it may be a token.
Result<void> checkRequest(const HttpRequest& request) {
  if (!isToken(request.method)) return invalid("the HTTP method is not a word");
  const bool plain = std::all_of(request.target.begin(), request.target.end(),
                                 [](char c) { return c > ' ' && c != '\x7f'; });
  if (!request.target.starts_with('/') || !plain) {
    return invalid("a request target must start with \"/\" and be escaped");
  }
  for (const auto& [name, value] : request.headers) {
    if (!isToken(name)) return invalid("a request header has an improper name");
    if (isOurs(name)) return invalid("the request header " + name + " is set by the transport");
    if (!isFieldValue(value)) {
      return invalid("the request header " + name + " holds a line break; check its source");
    }
  }
  return {};
}

}  // namespace

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equalsIgnoringCase(key, name)) return value;
  }
  return "";
}

Result<std::optional<ResponseHead>> parseResponseHead(std::string_view bytes, bool for_head) {
  ResponseHead head;
  head.size = headSize(bytes);
  if (head.size == 0) {
    if (bytes.size() > kMaxHeadBytes) return malformed("its head has no end");
    return std::nullopt;
  }
  if (head.size > kMaxHeadBytes) return malformed("its head is larger than 1 MiB");
  std::string_view rest = bytes.substr(0, head.size);
  if (!parseStatusLine(takeLine(rest), head)) return malformed("a bad status line");
  while (true) {
    const std::string_view line = takeLine(rest);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !isToken(name)) return malformed("a bad header field");
    const std::string_view value = trim(line.substr(colon + 1));
    if (!isFieldValue(value)) return malformed("a control character in a header field");
    head.response.headers.emplace_back(name, value);
  }
  if (auto done = decideFraming(head, for_head); !done) return tl::unexpected(done.error());
  return head;
}

Result<std::string> serializeRequest(const Endpoint& endpoint, const HttpRequest& request,
                                     bool keep_alive) {
  if (auto fine = checkRequest(request); !fine) return tl::unexpected(fine.error());
  std::string wire;
  wire.reserve(512 + request.body.size());
  wire.append(request.method).append(" ").append(endpoint.path_prefix).append(request.target);
  wire.append(" HTTP/1.1\r\nHost: ");
  const bool default_port = endpoint.port == (endpoint.tls ? 443 : 80);
  const std::string host =
      hostPort(endpoint.host.substr(0, endpoint.host.find('%')), endpoint.port);
  wire.append(host, 0, default_port ? host.rfind(':') : std::string::npos);
  wire.append("\r\n");
  if (request.upgrade) {
    wire.append("Connection: Upgrade\r\n");
  } else if (!keep_alive) {
    wire.append("Connection: close\r\n");
  }
  for (const auto& [name, value] : request.headers) {
    wire.append(name).append(": ").append(value).append("\r\n");
  }
  const bool has_body_by_nature =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body_by_nature || !request.body.empty()) {
    wire.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  wire.append("\r\n").append(request.body);
  return wire;
}

}  // namespace vkb::net
