#include "dax/entry_table.h"

#include <map>
#include <random>
#include <set>

#include "gtest/gtest.h"

namespace iomap::dax {
namespace {

constexpr Entry kPlace{EntryKind::kPresent, 3, 7 * kHugePageBytes};

TEST(EntryTable, KeepsWhatItIsGiven) {
  EntryTable table;
  table.Set({5, PageSize::kBase}, kPlace);
  table.Set({512, PageSize::kHuge}, Entry{EntryKind::kZeroPage});
  EXPECT_EQ(table.Find(5), (Slot{5, PageSize::kBase}));
  EXPECT_EQ(table.Get({5, PageSize::kBase}), kPlace);
  EXPECT_EQ(table.Find(1000), (Slot{512, PageSize::kHuge}));
  EXPECT_EQ(table.Get({512, PageSize::kHuge}).kind, EntryKind::kZeroPage);
  EXPECT_EQ(table.Find(6), std::nullopt);
  EXPECT_EQ(table.Next(6, 10'000), (Slot{512, PageSize::kHuge}));
  table.Erase({512, PageSize::kHuge});
  EXPECT_EQ(table.Next(6, 10'000), std::nullopt);
}

TEST(EntryTable, LosesTagsWithTheEntry) {
  EntryTable table;
  const Slot slot{600, PageSize::kBase};
  table.Set(slot, kPlace);
  table.SetTag(slot, Tag::kDirty);
  EXPECT_TRUE(table.AnyTagged(Tag::kDirty));
  table.Erase(slot);
  EXPECT_FALSE(table.AnyTagged(Tag::kDirty));
  table.Set(slot, kPlace);
  EXPECT_FALSE(table.IsTagged(slot, Tag::kDirty));
}

TEST(EntryTable, TagsToWriteWhatIsDirtyInTheRangeAlone) {
  EntryTable table;
  for (const uint64_t page : {1, 2, 70, 600}) {
    table.Set({page, PageSize::kBase}, kPlace);
    table.SetTag({page, PageSize::kBase}, Tag::kDirty);
  }
  table.Set({1024, PageSize::kHuge}, kPlace);
  table.SetTag({1024, PageSize::kHuge}, Tag::kDirty);
  table.TagDirtyToWrite(2, 600);
  EXPECT_EQ(table.NextTagged(Tag::kToWrite, 0, 5000), (Slot{2, PageSize::kBase}));
  EXPECT_EQ(table.NextTagged(Tag::kToWrite, 3, 5000), (Slot{70, PageSize::kBase}));
  EXPECT_EQ(table.NextTagged(Tag::kToWrite, 71, 5000), std::nullopt);
  table.TagDirtyToWrite(1500, 1501);  // inside the huge one
  EXPECT_EQ(table.NextTagged(Tag::kToWrite, 71, 5000), (Slot{1024, PageSize::kHuge}));
}

// Against a map and a set.
TEST(EntryTable, DoesWhatAMapDoes) {
  std::mt19937_64 random(1);
  EntryTable table;
  std::map<uint64_t, Entry> entries;
  std::set<uint64_t> dirty;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t page = random() % 3000;
    const Slot slot{page, PageSize::kBase};
    switch (random() % 4) {
      case 0:
        entries[page] = Entry{EntryKind::kPresent, 1, (random() % 1000) * kPageBytes};
        table.Set(slot, entries[page]);
        break;
      case 1:
        if (entries.erase(page) > 0) {
          table.Erase(slot);
          dirty.erase(page);
        }
        break;
      case 2:
        if (entries.contains(page)) {
          table.SetTag(slot, Tag::kDirty);
          dirty.insert(page);
        }
        break;
      default:
        if (entries.contains(page)) {
          table.ClearTag(slot, Tag::kDirty);
          dirty.erase(page);
        }
    }
    const auto next = entries.lower_bound(page);
    EXPECT_EQ(table.Next(page, 3000).has_value(), next != entries.end());
    if (next != entries.end()) {
      EXPECT_EQ(table.Next(page, 3000)->page, next->first);
      EXPECT_EQ(table.Get({next->first, PageSize::kBase}), next->second);
    }
    const auto next_dirty = dirty.lower_bound(page);
    const auto tagged = table.NextTagged(Tag::kDirty, page, 3000);
    ASSERT_EQ(tagged.has_value(), next_dirty != dirty.end());
    if (tagged.has_value()) {
      ASSERT_EQ(tagged->page, *next_dirty);
    }
  }
}

}  // namespace
}  // namespace iomap::dax
