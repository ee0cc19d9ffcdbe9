#include "backends/ext4/extent_editor.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/format.h"
#include "backends/ext4/inode.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::TreeNode;
using backends::TreePlace;

constexpr size_t kRecordBytes = sizeof(DiskExtent);
constexpr size_t kRootRoom = (kInodeBlockBytes - sizeof(DiskExtentHeader)) / kRecordBytes;

// True when `next` goes on where `extent` ends and both fit into one record.
bool CanJoin(const Extent& extent, const Extent& next) {
  const uint32_t most = extent.unwritten ? kMostWrittenBlocks - 1 : kMostWrittenBlocks;
  return extent.unwritten == next.unwritten && extent.end() == next.file_block &&
         extent.start + extent.length == next.start && extent.length + next.length <= most;
}

// The part of the extent in [begin, end), which overlaps it.
Extent Slice(const Extent& extent, uint64_t begin, uint64_t end) {
  const uint64_t first = std::max(begin, extent.file_block);
  return Extent{first, extent.start + (first - extent.file_block),
                static_cast<uint32_t>(std::min(end, extent.end()) - first), extent.unwritten};
}

}  // namespace

absl::StatusOr<ExtentEditor> ExtentEditor::Read(Volume& volume, BlockAllocator& allocator,
                                                uint32_t inode_number) {
  IOMAP_ASSIGN_OR_RETURN(const Inode inode, ReadInode(volume, inode_number));
  if (!inode.has_flag(kInodeExtents)) {
    return absl::UnimplementedError(
        absl::StrCat("ext4 inode ", inode_number, ": to be changed, and has no extents"));
  }
  ExtentEditor editor(volume, allocator, inode_number);
  IOMAP_ASSIGN_OR_RETURN(const TreeNode root, ParseExtentRoot(volume, inode));
  editor.root_.level = root.level;
  IOMAP_RETURN_IF_ERROR(editor.ReadChildren(
      inode, root, TreePlace{.level = root.level, .key_begin = 0, .key_end = kFileBlocks},
      editor.root_));
  return editor;
}

absl::Status ExtentEditor::ReadChildren(const Inode& inode, const TreeNode& parsed,
                                        const TreePlace& place, Node& node) {
  if (parsed.level == 0) {
    for (uint32_t i = 0; i < parsed.count; ++i) {
      node.extents.push_back(ExtentAt(parsed.records, i));
      data_blocks_ += node.extents.back().length;
    }
    return absl::OkStatus();
  }
  for (uint32_t i = 0; i < parsed.count; ++i) {
    TreePlace child_place{.level = parsed.level - 1,
                          .key_begin = i == 0 ? place.key_begin : parsed.keys[i],
                          .key_end = i + 1 < parsed.count ? parsed.keys[i + 1] : place.key_end};
    Node child{.block = parsed.children[i],
               .level = parsed.level - 1,
               .key = parsed.keys[i],
               .extents = {},
               .children = {}};
    IOMAP_ASSIGN_OR_RETURN(const TreeNode read,
                           ReadExtentNode(*volume_, inode, child.block, child_place));
    ++node_blocks_;
    IOMAP_RETURN_IF_ERROR(ReadChildren(inode, read, child_place, child));
    node.children.push_back(std::move(child));
  }
  return absl::OkStatus();
}

size_t ExtentEditor::RoomIn(const Node& node) const {
  return node.block == 0
             ? kRootRoom
             : (volume_->superblock().block_size - sizeof(DiskExtentHeader)) / kRecordBytes;
}

uint64_t ExtentEditor::FirstKey(const Node& node) {
  return node.level == 0 ? node.extents.front().file_block : node.children.front().key;
}

size_t ExtentEditor::ChildFor(const Node& node, uint64_t file_block) {
  const auto next =
      std::upper_bound(node.children.begin() + 1, node.children.end(), file_block,
                       [](uint64_t position, const Node& child) { return position < child.key; });
  return static_cast<size_t>(next - node.children.begin()) - 1;
}

size_t ExtentEditor::PositionIn(const Node& leaf, uint64_t file_block) {
  const auto next = std::upper_bound(
      leaf.extents.begin(), leaf.extents.end(), file_block,
      [](uint64_t position, const Extent& extent) { return position < extent.file_block; });
  return static_cast<size_t>(next - leaf.extents.begin());
}

const Extent* ExtentEditor::LastAtOrBefore(uint64_t file_block) const {
  const Node* node = &root_;
  while (node->level > 0) {
    node = &node->children[ChildFor(*node, file_block)];
  }
  const size_t position = PositionIn(*node, file_block);
  return position == 0 ? nullptr : &node->extents[position - 1];
}

absl::Status ExtentEditor::Remove(uint64_t begin, uint64_t end) {
  if (begin >= end) {
    return absl::OkStatus();
  }
  const uint64_t before = data_blocks_;
  // What is cut in the middle gets a second record, for which there may be no room: it is taken out
  // and put back as a whole.
  std::optional<Extent> put_back;
  if (const Extent* last = LastAtOrBefore(end - 1);
      last != nullptr && last->file_block < begin && last->end() > end) {
    put_back = Slice(*last, end, kFileBlocks);
    end = last->end();
  }
  RemoveFrom(root_, begin, end);
  if (root_.level > 0 && root_.children.empty()) {
    root_.level = 0;
  }
  if (put_back.has_value()) {
    IOMAP_RETURN_IF_ERROR(Insert(*put_back));
  }
  return data_blocks_ == before ? absl::OkStatus() : Write();
}

void ExtentEditor::RemoveFrom(Node& node, uint64_t begin, uint64_t end) {
  if (node.level > 0) {
    for (size_t i = 0; i < node.children.size(); ++i) {
      const bool is_past = node.children[i].key >= end && i > 0;
      const bool ends_before = i + 1 < node.children.size() && node.children[i + 1].key <= begin;
      if (is_past || ends_before) {
        continue;
      }
      Node& child = node.children[i];
      RemoveFrom(child, begin, end);
      node.changed = node.changed || child.changed;
      if (child.size() > 0 && child.changed) {
        child.key = FirstKey(child);  // an index names the first block below it
      }
    }
    const size_t count = node.children.size();
    std::erase_if(node.children, [](const Node& child) { return child.size() == 0; });
    node_blocks_ -= count - node.children.size();
    node.changed = node.changed || count != node.children.size();
    return;
  }
  std::vector<Extent> left;
  for (const Extent& extent : node.extents) {
    if (extent.end() <= begin || extent.file_block >= end) {
      left.push_back(extent);
      continue;
    }
    node.changed = true;
    data_blocks_ -= extent.length;
    if (extent.file_block < begin) {
      left.push_back(Slice(extent, 0, begin));
      data_blocks_ += left.back().length;
    }
    if (extent.end() > end) {
      left.push_back(Slice(extent, end, kFileBlocks));
      data_blocks_ += left.back().length;
    }
  }
  node.extents = std::move(left);
}

absl::Status ExtentEditor::Put(const Extent& extent) {
  if (extent.length == 0 || extent.end() > kFileBlocks - 1 ||
      !volume_->HasBlocks(extent.start, extent.length)) {
    return absl::DataLossError(absl::StrCat("ext4 inode ", inode_, ": extent of ", extent.length,
                                            " blocks at file block ", extent.file_block,
                                            " in block ", extent.start, ", the file system has ",
                                            volume_->readable_blocks()));
  }
  IOMAP_RETURN_IF_ERROR(Remove(extent.file_block, extent.end()));
  IOMAP_RETURN_IF_ERROR(Insert(extent));
  // As Linux does, a single leaf that fits into the root moves there.
  if (root_.level == 1 && root_.children.size() == 1 &&
      root_.children.front().extents.size() <= kRootRoom) {
    root_.extents = std::move(root_.children.front().extents);
    root_.children.clear();
    root_.level = 0;
    --node_blocks_;
  }
  return Write();
}

// True when a record for the extent would split every node from its leaf up to the root.
bool ExtentEditor::OverflowsRoot(const Extent& extent) const {
  const Node* node = &root_;
  while (node->size() == RoomIn(*node)) {
    if (node->level > 0) {
      node = &node->children[ChildFor(*node, extent.file_block)];
      continue;
    }
    const size_t position = PositionIn(*node, extent.file_block);
    const bool joins = (position > 0 && CanJoin(node->extents[position - 1], extent)) ||
                       (position < node->size() && CanJoin(extent, node->extents[position]));
    return !joins;
  }
  return false;
}

absl::Status ExtentEditor::Insert(const Extent& extent) {
  if (OverflowsRoot(extent)) {
    IOMAP_RETURN_IF_ERROR(GrowRoot());
  }
  data_blocks_ += extent.length;
  return InsertInto(root_, extent).status();
}

absl::StatusOr<uint64_t> ExtentEditor::NewBlock() {
  IOMAP_ASSIGN_OR_RETURN(const uint64_t block,
                         allocator_->Allocate(volume_->superblock().first_data_block));
  ++node_blocks_;
  return block;
}

absl::Status ExtentEditor::GrowRoot() {
  if (root_.level == kMostExtentDepth) {
    return absl::DataLossError(
        absl::StrCat("ext4 inode ", inode_, ": extent tree of depth ", root_.level, " is full"));
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t block, NewBlock());
  Node child{.block = block,
             .level = root_.level,
             .key = FirstKey(root_),
             .extents = std::move(root_.extents),
             .children = std::move(root_.children),
             .changed = true};
  root_ = Node{.level = child.level + 1, .extents = {}, .children = {}};
  root_.children.push_back(std::move(child));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ExtentEditor::Node>> ExtentEditor::InsertInto(Node& node,
                                                                             const Extent& extent) {
  node.changed = true;
  if (node.level == 0) {
    const size_t position = PositionIn(node, extent.file_block);
    if (position > 0 && CanJoin(node.extents[position - 1], extent)) {
      node.extents[position - 1].length += extent.length;
      return nullptr;
    }
    if (position < node.extents.size() && CanJoin(extent, node.extents[position])) {
      Extent& joined = node.extents[position];
      joined =
          Extent{extent.file_block, extent.start, joined.length + extent.length, extent.unwritten};
      return nullptr;
    }
    // What goes in front of everything stays in the left part, with one record at least beside it.
    IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<Node> right,
                           SplitIfFull(node, std::max<size_t>(position, 1)));
    if (right != nullptr && position > 0) {
      right->extents.insert(right->extents.begin(), extent);
    } else {
      node.extents.insert(node.extents.begin() + static_cast<ptrdiff_t>(position), extent);
    }
    if (right != nullptr) {
      right->key = FirstKey(*right);
    }
    return right;
  }
  const size_t index = ChildFor(node, extent.file_block);
  node.children[index].key = std::min(node.children[index].key, extent.file_block);
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<Node> child, InsertInto(node.children[index], extent));
  if (child == nullptr) {
    return nullptr;
  }
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<Node> right, SplitIfFull(node, index + 1));
  std::vector<Node>& home = right != nullptr ? right->children : node.children;
  const size_t position = right != nullptr ? 0 : index + 1;
  if (right != nullptr) {
    right->key = child->key;
  }
  home.insert(home.begin() + static_cast<ptrdiff_t>(position), std::move(*child));
  return right;
}

// Splits a full node other than the root in front of record `position`, which is not the first.
// Nothing when the node has room.
absl::StatusOr<std::unique_ptr<ExtentEditor::Node>> ExtentEditor::SplitIfFull(Node& node,
                                                                              size_t position) {
  if (node.size() < RoomIn(node)) {
    return nullptr;
  }
  if (node.block == 0) {
    return absl::InternalError(absl::StrCat("ext4 inode ", inode_, ": extent root is full"));
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t block, NewBlock());
  auto right = std::make_unique<Node>(
      Node{.block = block, .level = node.level, .extents = {}, .children = {}, .changed = true});
  const auto move_rest = [position](auto& from, auto& to) {
    const auto begin = from.begin() + static_cast<ptrdiff_t>(position);
    to.assign(std::make_move_iterator(begin), std::make_move_iterator(from.end()));
    from.erase(begin, from.end());
  };
  if (node.level == 0) {
    move_rest(node.extents, right->extents);
  } else {
    move_rest(node.children, right->children);
  }
  return right;
}

std::vector<std::byte> ExtentEditor::Encoded(const Node& node, size_t bytes) const {
  std::vector<std::byte> out(bytes);
  DiskExtentHeader header{};
  header.magic.set(kExtentMagic);
  header.entries.set(static_cast<uint16_t>(node.size()));
  header.max.set(static_cast<uint16_t>(RoomIn(node)));
  header.depth.set(static_cast<uint16_t>(node.level));
  std::memcpy(out.data(), &header, sizeof header);
  std::byte* record = out.data() + sizeof header;
  for (const Extent& extent : node.extents) {
    DiskExtent disk{};
    disk.file_block.set(static_cast<uint32_t>(extent.file_block));
    disk.length.set(
        static_cast<uint16_t>(extent.length + (extent.unwritten ? kMostWrittenBlocks : 0)));
    disk.start_hi.set(static_cast<uint16_t>(extent.start >> 32));
    disk.start_lo.set(static_cast<uint32_t>(extent.start));
    std::memcpy(record, &disk, sizeof disk);
    record += kRecordBytes;
  }
  for (const Node& child : node.children) {
    DiskExtentIndex disk{};
    disk.file_block.set(static_cast<uint32_t>(child.key));
    disk.child_lo.set(static_cast<uint32_t>(child.block));
    disk.child_hi.set(static_cast<uint16_t>(child.block >> 32));
    std::memcpy(record, &disk, sizeof disk);
    record += kRecordBytes;
  }
  return out;
}

absl::Status ExtentEditor::WriteNode(uint32_t checksum_seed, Node& node) {
  const Superblock& superblock = volume_->superblock();
  if (node.block != 0 && !node.changed) {
    return absl::OkStatus();  // nor is anything below it
  }
  for (Node& child : node.children) {
    IOMAP_RETURN_IF_ERROR(WriteNode(checksum_seed, child));
  }
  node.changed = false;
  if (node.block == 0) {
    return absl::OkStatus();
  }
  std::vector<std::byte> bytes = Encoded(node, superblock.block_size);
  if (superblock.has_metadata_checksums()) {
    const size_t tail = sizeof(DiskExtentHeader) + RoomIn(node) * kRecordBytes;
    backends::Store<Le32>(
        bytes.data() + tail,
        backends::ExtendCrc32c(checksum_seed, absl::MakeConstSpan(bytes).first(tail)));
  }
  return volume_->device().Write(node.block << superblock.block_shift, bytes);
}

absl::Status ExtentEditor::Write() {
  IOMAP_ASSIGN_OR_RETURN(InodeRecord record, InodeRecord::Read(*volume_, inode_));
  IOMAP_RETURN_IF_ERROR(WriteNode(record.checksum_seed(volume_->superblock()), root_));
  DiskInode fields = record.fields();
  const std::vector<std::byte> root = Encoded(root_, kInodeBlockBytes);
  std::memcpy(fields.block, root.data(), root.size());
  record.set_fields(fields);
  return record.Write(*volume_);
}

}  // namespace iomap::ext4
