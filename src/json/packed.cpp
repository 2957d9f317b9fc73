#include "json/packed.h"

#include <lz4.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "base/check.h"

namespace vkb::json {
namespace {

/// Before the compressed bytes: a mark that no JSON begins with, the number of the dictionary, and
/// how many bytes there were (four).
constexpr char kMark = '\0';
constexpr std::size_t kHead = 6;
constexpr std::size_t kNoDictionary = 255;
/// Of less not much could be saved.
constexpr std::size_t kWorthIt = 1024;

/// Objects that are so much alike as those of one controller take a twentieth where one of them is
/// the dictionary of the others. Dictionaries are objects that no earlier one was of much use for,
/// while there are few; they stay for as long as the process.
class Dictionaries {
 public:
  static constexpr std::size_t kMost = 8, kMaxBytes = 64u << 10;  // LZ4 looks no further back

  /// The text of number `i`; empty where there is none.
  std::string_view get(std::size_t i) const {
    const std::lock_guard lock(mutex_);
    return i < texts_.size() ? std::string_view(*texts_[i]) : std::string_view();
  }
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (texts_.size() == kMost || text.size() > kMaxBytes) return;
    texts_.push_back(std::make_unique<const std::string>(text));
  }
  static Dictionaries& instance() {
    static Dictionaries& dictionaries = *new Dictionaries;  // as long as anything is packed
    return dictionaries;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<const std::string>> texts_;
};

bool isPacked(const Object& object) { return object.raw.size() > kHead && object.raw[0] == kMark; }

ObjectPtr withBytes(const Object& object, std::string bytes) {
  auto other = std::make_shared<Object>();
  other->ns = object.ns;
  other->name = object.name;
  other->uid = object.uid;
  other->resource_version = object.resource_version;
  other->raw = std::move(bytes);
  return other;
}

/// 0: not into as little as `room`.
std::size_t compress(const std::string& raw, std::string_view dictionary, std::string& out,
                     std::size_t room) {
  static thread_local LZ4_stream_t stream;
  LZ4_initStream(&stream, sizeof stream);
  LZ4_loadDict(&stream, dictionary.data(), static_cast<int>(dictionary.size()));
  out.resize(room);
  const int size = LZ4_compress_fast_continue(
      &stream, raw.data(), out.data(), static_cast<int>(raw.size()), static_cast<int>(room), 1);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace

ObjectPtr packed(const ObjectPtr& object) {
  const std::string& raw = object->raw;
  if (isPacked(*object) || raw.size() < kWorthIt || raw.size() > LZ4_MAX_INPUT_SIZE) return object;
  Dictionaries& dictionaries = Dictionaries::instance();
  static thread_local std::string best, tried;
  static thread_local std::size_t last_used = 0;  // what comes next is often of the same kind
  const std::size_t good = raw.size() / 4;
  std::size_t size = raw.size() - kHead, used = 0;  // what does not shrink stays as it is
  bool shrinks = false;
  for (std::size_t i = 0; i <= Dictionaries::kMost; ++i) {
    const std::size_t number = i == 0 ? last_used : i - 1;
    const std::string_view dictionary = dictionaries.get(number);
    if (i > 0 && dictionary.empty()) break;
    const std::size_t fewer = compress(raw, dictionary, tried, size);
    if (fewer == 0) continue;
    shrinks = true;
    best.swap(tried);
    size = fewer;
    used = dictionary.empty() ? kNoDictionary : number;
    if (size <= good) break;
  }
  if (!shrinks || size > good) dictionaries.add(raw);
  if (!shrinks) return object;
  if (used != kNoDictionary) last_used = used;
  const auto before = static_cast<std::uint32_t>(raw.size());
  std::string bytes(kHead + size, kMark);
  bytes[1] = static_cast<char>(used);
  std::memcpy(bytes.data() + 2, &before, sizeof before);
  std::memcpy(bytes.data() + kHead, best.data(), size);
  return withBytes(*object, std::move(bytes));
}

ObjectPtr unpacked(const ObjectPtr& object) {
  if (!object || !isPacked(*object)) return object;
  const std::string& raw = object->raw;
  std::uint32_t size = 0;
  std::memcpy(&size, raw.data() + 2, sizeof size);
  const std::string_view dictionary =
      Dictionaries::instance().get(static_cast<unsigned char>(raw[1]));
  std::string bytes(size, '\0');
  const int read = LZ4_decompress_safe_usingDict(
      raw.data() + kHead, bytes.data(), static_cast<int>(raw.size() - kHead),
      static_cast<int>(size), dictionary.data(), static_cast<int>(dictionary.size()));
  VKB_CHECK(read >= 0 && static_cast<std::uint32_t>(read) == size, "a packed object is damaged");
  return withBytes(*object, std::move(bytes));
}

}  // namespace vkb::json
