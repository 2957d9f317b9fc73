#include "kubelet/http_request_head.h"

#include <algorithm>

#include "net/http_head.h"

namespace vkb::kubelet {
namespace {

using net::equalsIgnoringCase;
using Failure = tl::unexpected<HeadError>;

Failure bad(const char* what) {
  return Failure(HeadError{400, std::string("bad request: ") + what});
}
Failure tooLarge() { return Failure(HeadError{431, "the head of the request is too large"}); }

bool isTokenChar(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}
bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), isTokenChar);
}
/// RFC 9110 §5.5: visible characters, blanks, and what is beyond ASCII.
bool isFieldValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}
/// Origin form: no fragment, nothing that should have been escaped.
bool isTarget(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
           return c > ' ' && c < '\x7f' && c != '#' && c != '"' && c != '<' && c != '>' &&
                  c != '\\';
         });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// "GET /pods HTTP/1.1"
std::optional<HeadError> parseRequestLine(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("no request line").value();
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!isToken(method)) return bad("the method is no word").value();
  if (!isTarget(target)) return bad("the target is no escaped path").value();
  if (version != "HTTP/1.1") {
    const bool other = version.starts_with("HTTP/") && version.size() == 8;
    return HeadError{other ? 505 : 400, "only HTTP/1.1 is spoken here"};
  }
  head.method = method;
  head.target = target;
  return std::nullopt;
}

std::optional<HeadError> parseField(std::string_view line, RequestHead& head) {
  // A line that goes on from the one before (obs-fold) begins with a blank, which no name has.
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header field without a colon").value();
  const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
  if (!isToken(name)) return bad("the name of a header field").value();
  if (!isFieldValue(value)) return bad("a control character in a header field").value();
  if (head.headers.size() == kMaxRequestFields) return tooLarge().value();
  head.headers.emplace_back(name, value);
  return std::nullopt;
}

/// What says where the request ends, and whom it is for.
std::optional<HeadError> checkFraming(const RequestHead& head) {
  if (head.count("Host") != 1) return bad("not exactly one Host").value();
  if (head.count("Transfer-Encoding") > 0) return bad("a body is not taken").value();
  if (head.count("Content-Length") > 1) return bad("more than one Content-Length").value();
  if (head.count("Content-Length") == 1 && head.header("Content-Length") != "0") {
    return bad("a body is not taken").value();
  }
  if (head.count("Expect") > 0) return HeadError{417, "a body is not taken"};
  if (head.count("Authorization") > 1) return bad("more than one Authorization").value();
  return std::nullopt;
}

bool listHas(std::string_view list, std::string_view word) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (equalsIgnoringCase(trim(list.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string RequestHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equalsIgnoringCase(key, name)) return value;
  }
  return "";
}

std::size_t RequestHead::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [&](const auto& field) { return equalsIgnoringCase(field.first, name); }));
}

bool RequestHead::asksForUpgrade() const {
  if (header("Upgrade").empty()) return false;
  return std::any_of(headers.begin(), headers.end(), [](const auto& field) {
    return equalsIgnoringCase(field.first, "Connection") && listHas(field.second, "Upgrade");
  });
}

tl::expected<std::optional<RequestHead>, HeadError> parseRequestHead(std::string_view bytes) {
  RequestHead head;
  bool in_fields = false;
  std::size_t at = 0;
  while (true) {
    const std::size_t end = bytes.find('\n', at);
    if (end == std::string_view::npos) break;
    if (end + 1 > kMaxRequestHeadBytes) return tooLarge();
    // A line feed alone, or a carriage return elsewhere, is where servers disagree on lines.
    if (end == at || bytes[end - 1] != '\r') return bad("a line does not end with CRLF");
    const std::string_view line = bytes.substr(at, end - 1 - at);
    at = end + 1;
    if (line.find('\r') != std::string_view::npos) return bad("a stray carriage return");
    if (in_fields && line.empty()) {
      if (auto wrong = checkFraming(head)) return Failure(std::move(*wrong));
      head.size = at;
      return head;
    }
    auto wrong = in_fields ? parseField(line, head) : parseRequestLine(line, head);
    if (wrong) return Failure(std::move(*wrong));
    in_fields = true;
  }
  if (bytes.size() >= kMaxRequestHeadBytes) return tooLarge();
  // Another protocol (TLS in TLS, SSH, garbage) is told at its first byte.
  if (!in_fields && !bytes.empty() && !isTokenChar(bytes.front())) return bad("no request line");
  return std::nullopt;
}

}  // namespace vkb::kubelet
