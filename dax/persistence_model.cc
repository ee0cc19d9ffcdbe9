#include "dax/persistence_model.h"

#include <algorithm>
#include <cstring>

#include "iomap/check.h"

namespace iomap::dax {
namespace {

constexpr uint64_t kWordBytes = 8;
constexpr uint64_t kAllBytes = ~uint64_t{0};

uint64_t MaskOf(uint64_t begin, uint64_t length) {
  const uint64_t ones = length >= kLineBytes ? kAllBytes : (uint64_t{1} << length) - 1;
  return ones << begin;
}

void Put(Line& line, const Line& bytes, uint64_t mask) {
  for (uint64_t i = 0; i < kLineBytes; ++i) {
    if (((mask >> i) & 1) != 0) {
      line[i] = bytes[i];
    }
  }
}

uint64_t WordAt(const Line& line, uint64_t offset) {
  uint64_t word;
  std::memcpy(&word, line.data() + offset, sizeof word);
  return word;
}

}  // namespace

PersistenceModel::LineState& PersistenceModel::StateOf(uint64_t line_address) {
  const auto [state, is_new] = lines_.try_emplace(line_address);
  if (is_new) {
    state->second.guaranteed = initial_(line_address);
  }
  return state->second;
}

void PersistenceModel::Apply(const DeviceEvent& event) {
  switch (event.kind) {
    case DeviceEvent::Kind::kStore:
    case DeviceEvent::Kind::kStoreThrough:
      return Store(event);
    case DeviceEvent::Kind::kFlush: {
      ThreadState& thread = threads_[event.thread];
      const ByteRange lines = event.range.AlignOutward(kLineBytes);
      for (uint64_t line = lines.offset; line < lines.end(); line += kLineBytes) {
        if (const auto state = lines_.find(line);
            state != lines_.end() && !state->second.pending.empty()) {
          thread.flushed.push_back({line, state->second.pending.back().sequence});
        }
      }
      return;
    }
    case DeviceEvent::Kind::kDrain:
      RetireFlushed(threads_[event.thread]);
      return RetireThrough(event.thread);
    case DeviceEvent::Kind::kLockedReadModifyWrite:
      if (options_.locked_operations_fence) {
        RetireFlushed(threads_[event.thread]);
      }
      return;
    case DeviceEvent::Kind::kView:
      return;
  }
}

void PersistenceModel::Store(const DeviceEvent& event) {
  const uint64_t line_address = event.range.offset & ~(kLineBytes - 1);
  IOMAP_CHECK(event.range.end() <= line_address + kLineBytes);
  LineState& line = StateOf(line_address);
  const uint64_t begin = event.range.offset - line_address;
  Pending pending{.sequence = ++sequence_,
                  .thread = event.thread,
                  .through = event.kind == DeviceEvent::Kind::kStoreThrough,
                  .mask = MaskOf(begin, event.range.length),
                  .bytes = {}};
  std::copy(event.bytes.begin(), event.bytes.end(),
            pending.bytes.begin() + static_cast<std::ptrdiff_t>(begin));
  line.pending.push_back(pending);
  if (pending.through) {
    threads_[event.thread].stored_through.push_back(line_address);
  } else if (options_.caches_are_durable) {
    Retire(line, line.pending.size() - 1);
  }
}

// Makes one store a part of what is guaranteed. What was stored to its bytes before is gone for
// good.
void PersistenceModel::Retire(LineState& line, size_t index) {
  const Pending retired = line.pending[index];
  Put(line.guaranteed, retired.bytes, retired.mask);
  for (size_t i = 0; i < index; ++i) {
    line.pending[i].mask &= ~retired.mask;
  }
  line.pending.erase(line.pending.begin() + static_cast<std::ptrdiff_t>(index));
  line.pending.erase(std::remove_if(line.pending.begin(), line.pending.end(),
                                    [](const Pending& pending) { return pending.mask == 0; }),
                     line.pending.end());
}

void PersistenceModel::RetireFlushed(ThreadState& thread) {
  for (const Flushed& flushed : std::exchange(thread.flushed, {})) {
    LineState& line = lines_.at(flushed.line);
    const auto next = [&] {
      return std::find_if(line.pending.begin(), line.pending.end(), [&](const Pending& pending) {
        return !pending.through && pending.sequence <= flushed.last_sequence;
      });
    };
    for (auto pending = next(); pending != line.pending.end(); pending = next()) {
      Retire(line, static_cast<size_t>(pending - line.pending.begin()));
    }
  }
}

void PersistenceModel::RetireThrough(uint32_t thread) {
  for (const uint64_t line_address : std::exchange(threads_[thread].stored_through, {})) {
    LineState& line = lines_.at(line_address);
    const auto next = [&] {
      return std::find_if(line.pending.begin(), line.pending.end(), [&](const Pending& pending) {
        return pending.through && pending.thread == thread;
      });
    };
    for (auto pending = next(); pending != line.pending.end(); pending = next()) {
      Retire(line, static_cast<size_t>(pending - line.pending.begin()));
    }
  }
}

std::optional<Line> PersistenceModel::GuaranteedLine(uint64_t line_address) const {
  const auto line = lines_.find(line_address);
  return line == lines_.end() ? std::nullopt : std::optional(line->second.guaranteed);
}

std::vector<uint64_t> PersistenceModel::UncertainLines() const {
  std::vector<uint64_t> uncertain;
  for (const auto& [address, line] : lines_) {
    if (!line.pending.empty() && PossibleLines(address).size() > 1) {
      uncertain.push_back(address);
    }
  }
  std::sort(uncertain.begin(), uncertain.end());
  return uncertain;
}

// Each prefix of the cached stores, with each subset of the words stored past the cache, all in the
// order of the stores.
void PersistenceModel::ForEachContent(const LineState& line, uint64_t mask,
                                      const std::function<void(const Line&)>& content) {
  struct Piece {
    const Pending* pending;
    uint64_t mask;
  };
  std::vector<Piece> pieces;
  size_t cached_count = 0;
  size_t word_count = 0;
  for (const Pending& pending : line.pending) {
    if ((pending.mask & mask) == 0) {
      continue;
    }
    if (!pending.through) {
      pieces.push_back({&pending, pending.mask});
      ++cached_count;
      continue;
    }
    for (uint64_t word = 0; word < kLineBytes; word += kWordBytes) {
      if (const uint64_t bytes = pending.mask & mask & MaskOf(word, kWordBytes); bytes != 0) {
        pieces.push_back({&pending, bytes});
        ++word_count;
      }
    }
  }
  constexpr size_t kMostWords = 20;  // a million subsets: nobody wants more of one line
  IOMAP_CHECK(word_count <= kMostWords);
  for (size_t prefix = 0; prefix <= cached_count; ++prefix) {
    for (uint64_t subset = 0; subset < uint64_t{1} << word_count; ++subset) {
      Line bytes = line.guaranteed;
      size_t cached = 0;
      size_t word = 0;
      for (const Piece& piece : pieces) {
        const bool is_there =
            piece.pending->through ? ((subset >> word++) & 1) != 0 : cached++ < prefix;
        if (is_there) {
          Put(bytes, piece.pending->bytes, piece.mask);
        }
      }
      content(bytes);
    }
  }
}

std::vector<Line> PersistenceModel::PossibleLines(uint64_t line_address) const {
  std::vector<Line> possible;
  if (const auto line = lines_.find(line_address); line != lines_.end()) {
    ForEachContent(line->second, kAllBytes, [&](const Line& content) {
      if (std::find(possible.begin(), possible.end(), content) == possible.end()) {
        possible.push_back(content);
      }
    });
  }
  return possible;
}

std::vector<uint64_t> PersistenceModel::PossibleWords(uint64_t address) const {
  IOMAP_CHECK(address % kWordBytes == 0);
  const uint64_t offset = address % kLineBytes;
  std::vector<uint64_t> possible;
  if (const auto line = lines_.find(address - offset); line != lines_.end()) {
    ForEachContent(line->second, MaskOf(offset, kWordBytes), [&](const Line& content) {
      const uint64_t word = WordAt(content, offset);
      if (std::find(possible.begin(), possible.end(), word) == possible.end()) {
        possible.push_back(word);
      }
    });
  }
  return possible;
}

double PersistenceModel::StateCount() const {
  double count = 1;
  for (const uint64_t line : UncertainLines()) {
    count *= static_cast<double>(PossibleLines(line).size());
  }
  return count;
}

std::vector<std::pair<uint64_t, Line>> PersistenceModel::Draw(std::mt19937_64& random,
                                                              Fate fate) const {
  std::vector<std::pair<uint64_t, Line>> drawn;
  for (const auto& [address, line] : lines_) {
    if (!line.pending.empty()) {
      drawn.emplace_back(address, line.guaranteed);
    }
  }
  std::sort(drawn.begin(), drawn.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [address, bytes] : drawn) {
    const LineState& line = lines_.at(address);
    const auto cached_count = static_cast<uint64_t>(
        std::count_if(line.pending.begin(), line.pending.end(),
                      [](const Pending& pending) { return !pending.through; }));
    uint64_t cached_left = fate == Fate::kNothing      ? 0
                           : fate == Fate::kEverything ? cached_count
                                                       : random() % (cached_count + 1);
    for (const Pending& pending : line.pending) {
      if (!pending.through) {
        if (cached_left > 0) {
          --cached_left;
          Put(bytes, pending.bytes, pending.mask);
        }
        continue;
      }
      const uint64_t words = fate == Fate::kNothing      ? 0
                             : fate == Fate::kEverything ? ~0ull
                                                         : random();
      for (uint64_t word = 0; word < kLineBytes; word += kWordBytes) {
        if ((words >> (word / kWordBytes) & 1) != 0) {
          Put(bytes, pending.bytes, pending.mask & MaskOf(word, kWordBytes));
        }
      }
    }
  }
  return drawn;
}

}  // namespace iomap::dax
