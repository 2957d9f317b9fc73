#include "json/packed.h"

#include <lz4.h>

#include <algorithm>
#include <atomic>
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
  /// What comes next is often of the same kind.
  std::size_t lastUsed() const { return last_used_; }
  void noteUse(std::size_t number) {
    if (number != kNoDictionary) last_used_ = number;
  }
  static Dictionaries& instance() {
    static Dictionaries& dictionaries = *new Dictionaries;  // as long as anything is packed
    return dictionaries;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<const std::string>> texts_;
  std::atomic<std::size_t> last_used_ = 0;
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

/// As `raw` becomes with that dictionary; empty: it takes no fewer bytes than `room`.
std::string compressed(const std::string& raw, std::string_view dictionary, std::size_t room) {
  LZ4_stream_t stream;
  LZ4_initStream(&stream, sizeof stream);
  LZ4_loadDict(&stream, dictionary.data(), static_cast<int>(dictionary.size()));
  std::string bytes(room, '\0');
  const int size = LZ4_compress_fast_continue(
      &stream, raw.data(), bytes.data(), static_cast<int>(raw.size()), static_cast<int>(room), 1);
  bytes.resize(static_cast<std::size_t>(std::max(size, 0)));
  return bytes;
}

struct Packing {
  std::size_t dictionary = kNoDictionary;
  std::string bytes;  ///< empty: nothing was saved
};

/// The first that is good, else the best.
Packing packingOf(const std::string& raw) {
  Dictionaries& dictionaries = Dictionaries::instance();
  const std::size_t good = raw.size() / 4, last = dictionaries.lastUsed();
  Packing best;
  const auto isGood = [&](std::size_t number) {
    const std::string_view dictionary = dictionaries.get(number);
    const std::size_t room = best.bytes.empty() ? raw.size() - kHead : best.bytes.size() - 1;
    std::string bytes = compressed(raw, dictionary, room);
    if (!bytes.empty()) best = {dictionary.empty() ? kNoDictionary : number, std::move(bytes)};
    return !best.bytes.empty() && best.bytes.size() <= good;
  };
  if (isGood(last)) return best;
  for (std::size_t i = 0; !dictionaries.get(i).empty(); ++i) {
    if (i != last && isGood(i)) return best;
  }
  dictionaries.add(raw);
  return best;
}

}  // namespace

ObjectPtr packed(const ObjectPtr& object) {
  const std::string& raw = object->raw;
  if (isPacked(*object) || raw.size() < kWorthIt || raw.size() > LZ4_MAX_INPUT_SIZE) return object;
  const Packing packing = packingOf(raw);
  if (packing.bytes.empty()) return object;
  Dictionaries::instance().noteUse(packing.dictionary);
  const auto size = static_cast<std::uint32_t>(raw.size());
  std::string bytes(kHead, kMark);
  bytes[1] = static_cast<char>(packing.dictionary);
  std::memcpy(bytes.data() + 2, &size, sizeof size);
  bytes.reserve(kHead + packing.bytes.size());
  return withBytes(*object, bytes += packing.bytes);
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

bool isSame(const ObjectPtr& held, const ObjectPtr& other) {
  if (held == other) return true;
  return held->resource_version == other->resource_version &&
         unpacked(held)->raw == unpacked(other)->raw;
}

}  // namespace vkb::json
