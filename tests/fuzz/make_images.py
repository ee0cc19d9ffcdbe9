#!/usr/bin/env python3
"""Makes the images that the fuzzers start from: make_images.py FOLDER [NAME ...].

Needs root, loop devices and Linux's ext4 and XFS. An image is not made the same way twice, and the
inputs of corpus/ count on the bytes of images/: give a changed image a new name.

The images are small and of the smallest blocks, so that few files make deep trees, and what files
hold is zeros. Those whose name has "journal" or "log" were shut down under load: their journal
holds what the medium does not have.
"""

import fcntl
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time

import xfs_log_writer as log

MAGIC = b'SPARSE01'
IMAGES_FOLDER = os.path.join(os.path.dirname(__file__), 'images')
LEAST_GAP = 32  # bytes of zeros that are worth a new piece
SHUT_DOWN = 0x8004587d  # _IOR('X', 125, uint32_t), of ext4 and XFS
FLUSH_LOG, NO_FLUSH = 1, 2
CLONE, CLONE_RANGE = 0x40049409, 0x4020940d
KEEP_SIZE, PUNCH_HOLE = 1, 2


def run(*command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{command}: {done.stdout}{done.stderr}')
    return done.stdout


def fallocate(path, mode, offset, length):
    options = {0: [], KEEP_SIZE: ['-n'], KEEP_SIZE | PUNCH_HOLE: ['-p']}[mode]
    run('fallocate', *options, '-o', str(offset), '-l', str(length), path)


def write_zeros(path, offset, length):
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    os.pwrite(file, bytes(length), offset)
    os.fsync(file)
    os.close(file)


def make_fragmented(path, block, extents):
    """Every other block of a file, the later half of them by punching where there is punching."""
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    for i in reversed(range(extents)):  # backwards, so that no two become one extent
        os.pwrite(file, bytes(block), 2 * i * block)
        if i % 4 == 0:
            os.fdatasync(file)
    os.close(file)


def make_directory(path, entries, name_bytes):
    os.mkdir(path)
    first = f'{path}/0'
    os.mknod(first)
    for i in range(1, entries):
        os.link(first, f'{path}/{i}'.ljust(len(path) + 1 + name_bytes, chr(ord('a') + i % 26)))


def fill(root, block, *, preallocates=True, extents=40, entries=12, name_bytes=30, clones=False):
    """One file of each shape."""
    os.mknod(f'{root}/empty')
    write_zeros(f'{root}/plain', 0, 3 * block)
    with open(f'{root}/tiny', 'w', encoding='ascii') as file:
        file.write('x' * 100)
    write_zeros(f'{root}/sparse', 20 * block, 2 * block)
    write_zeros(f'{root}/sparse', 300 * block, block)
    make_fragmented(f'{root}/fragmented', block, extents)
    if preallocates:
        write_zeros(f'{root}/allocated', 0, block)
        fallocate(f'{root}/allocated', KEEP_SIZE, 0, 12 * block)
        fallocate(f'{root}/allocated', KEEP_SIZE | PUNCH_HOLE, 4 * block, 2 * block)
    make_directory(f'{root}/few', 3, 10)
    make_directory(f'{root}/many', entries, name_bytes)
    os.makedirs(f'{root}/few/deeper/deepest')
    os.symlink('few/deeper', f'{root}/short')
    os.symlink('many/' + 'a/' * 300, f'{root}/long')
    os.mkfifo(f'{root}/pipe')
    os.mknod(f'{root}/device', 0o020600, os.makedev(300, 70000))
    if clones:
        clone(f'{root}/plain', f'{root}/cloned')
        clone(f'{root}/fragmented', f'{root}/clone-of-fragmented')
        write_zeros(f'{root}/cloned', block, block)


def set_attributes(root, bytes_of_large):
    os.setxattr(f'{root}/plain', 'user.a', b'v' * 40)
    os.setxattr(f'{root}/many', 'user.b', b'v' * bytes_of_large)


def clone(source, target):
    with open(source, 'rb') as old, open(target, 'wb') as new:
        fcntl.ioctl(new, CLONE, old.fileno())


def clone_part(source, target, from_offset, length, to_offset):
    with open(source, 'rb') as old, open(target, 'r+b') as new:
        part = struct.pack('qQQQ', old.fileno(), from_offset, length, to_offset)
        fcntl.ioctl(new, CLONE_RANGE, part)


def change(root, block, has_clones):
    """Changes of every kind that a journal tells of."""
    os.mkdir(f'{root}/new')
    for i in range(12):
        write_zeros(f'{root}/new/{i}', i * block, block * (1 + i % 3))
    os.symlink('plain', f'{root}/new/short')
    os.symlink('y' * 700, f'{root}/new/long')
    os.sync()
    make_fragmented(f'{root}/new/fragmented', block, 60)
    for i in range(0, 12, 2):
        os.unlink(f'{root}/new/{i}')
    os.rename(f'{root}/plain', f'{root}/new/renamed')
    os.truncate(f'{root}/fragmented', 9 * block)
    os.mkdir(f'{root}/gone')
    for i in range(30):
        os.mknod(f'{root}/gone/' + f'{i}'.ljust(60, 'n'))
    os.sync()
    for name in os.listdir(f'{root}/gone'):
        os.unlink(f'{root}/gone/{name}')
    os.rmdir(f'{root}/gone')
    os.setxattr(f'{root}/sparse', 'user.late', b'v' * 600)
    if has_clones:
        clone(f'{root}/new/fragmented', f'{root}/new/clone')
        clone_part(f'{root}/new/fragmented', f'{root}/new/1', 0, 4 * block, 4 * block)
        write_zeros(f'{root}/new/clone', 2 * block, block)
    write_zeros(f'{root}/new/last', 0, block)
    make_fragmented(f'{root}/new/again', block, 10)
    os.truncate(f'{root}/new/fragmented', 20 * block)


class Mount:
    """A mounted image; unmounted, and its loop device gone, at the end."""

    def __init__(self, image, options=()):
        self.image = image
        self.options = options

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        run('mount', '-o', ','.join(['loop', *self.options]), self.image, self.folder)
        return self.folder

    def __exit__(self, *_):
        run('umount', self.folder)
        os.rmdir(self.folder)
        while run('losetup', '-j', self.image):
            time.sleep(0.01)


def shut_down(root, how):
    folder = os.open(root, os.O_RDONLY)
    fcntl.ioctl(folder, SHUT_DOWN, struct.pack('I', how))
    os.close(folder)


def leave_dirty(image, block, *, options=(), how=FLUSH_LOG, has_clones=False, orphan=False,
                busy=False, commits_before=0):
    """Changes the image and stops it as a power cut would; `busy`: amid more changes."""
    with Mount(image, options) as root:
        commit_often(root, commits_before)
        change(root, block, has_clones)
        kept = os.open(f'{root}/sparse', os.O_RDWR) if orphan else None
        if orphan:
            os.unlink(f'{root}/sparse')
            os.sync()
        worker = threading.Thread(target=keep_changing, args=(root, block))
        if busy:
            worker.start()
            time.sleep(0.15)
        shut_down(root, how)
        if busy:
            worker.join()
        if kept is not None:
            os.close(kept)


def keep_changing(root, block):
    """Clones, punches and truncates until the file system is shut down."""
    try:
        while True:
            clone(f'{root}/new/again', f'{root}/new/busy')
            for i in range(0, 20, 2):
                fallocate(f'{root}/new/busy', KEEP_SIZE | PUNCH_HOLE, i * block, block)
            os.truncate(f'{root}/new/busy', 0)
            os.unlink(f'{root}/new/busy')
            os.sync()
    except (OSError, RuntimeError):
        pass


def make_ext4(image, megabytes, block, features, *, inodes=64, inode=256, program='mkfs.ext4',
              more=()):
    os.truncate(os.open(image, os.O_CREAT | os.O_RDWR), megabytes << 20)
    run(program, '-q', '-F', '-b', str(block), '-I', str(inode), '-N', str(inodes), '-m', '0',
        '-E', 'lazy_itable_init=0,nodiscard', '-O', features, *more, image)


def ext4_checksums(image):
    make_ext4(image, 4, 1024, '^has_journal,^resize_inode,metadata_csum,64bit')
    with Mount(image) as root:
        fill(root, 1024, extents=400, entries=40, name_bytes=120)
        set_attributes(root, 900)


def ext4_block_4096(image):
    make_ext4(image, 8, 4096, '^has_journal,metadata_csum,64bit,metadata_csum_seed')
    with Mount(image) as root:
        fill(root, 4096, entries=60, name_bytes=100)
        set_attributes(root, 3000)


def ext2_pointers(image):
    make_ext4(image, 4, 1024, '^resize_inode,dir_index', inode=128, program='mkfs.ext2')
    with Mount(image) as root:
        fill(root, 1024, preallocates=False, entries=40, name_bytes=120)
        write_zeros(f'{root}/far', (12 + 256 + 256 * 256 + 5) << 10, 3 << 10)


def ext4_inline_data(image):
    make_ext4(image, 4, 1024, '^has_journal,^resize_inode,inline_data', inode=512)
    with Mount(image) as root:
        fill(root, 1024)
        set_attributes(root, 900)


def ext4_bigalloc(image):
    make_ext4(image, 32, 1024,
              '^has_journal,^resize_inode,^metadata_csum,uninit_bg,bigalloc,meta_bg,large_dir',
              more=('-C', '4096', '-g', '8192'))
    with Mount(image) as root:
        fill(root, 1024)


def ext4_two_levels(image):
    """A hashed directory with nodes below its root."""
    make_ext4(image, 4, 1024, '^has_journal,^resize_inode,metadata_csum')
    with Mount(image) as root:
        make_directory(f'{root}/many', 420, 250)


def commit_often(root, times):
    """Moves the head of the journal on."""
    for i in range(times):
        os.mknod(f'{root}/{i}')
        os.sync()
        os.unlink(f'{root}/{i}')


def dirty_ext4(features, journal_feature=None, journal_megabytes=1, **dirty):
    def make(image):
        block = 1024
        make_ext4(image, 16, block, f'^has_journal,^resize_inode,{features}',
                  inodes=160)
        with Mount(image) as root:
            fill(root, block, extents=12, preallocates='^extents' not in features)
        # Late, so that it holds nothing else.
        run('tune2fs', '-j', '-J', f'size={journal_megabytes}', image)
        if journal_feature is not None:
            run('tune2fs', '-O', journal_feature, image)
        leave_dirty(image, block, **dirty)
    return make


def ext4_journal_inline(image):
    """Fast commits of names in directories that lie inside their inodes."""
    block = 1024
    make_ext4(image, 16, block, '^has_journal,^resize_inode,metadata_csum,64bit,inline_data')
    run('tune2fs', '-j', '-J', 'size=4', image)
    run('tune2fs', '-O', 'fast_commit', image)
    with Mount(image) as root:
        for name in ('one', 'two'):
            os.mkdir(f'{root}/{name}')
            for file in ('old', 'kept', 'k'):
                write_zeros(f'{root}/{name}/{file}', 0, 100)
        os.sync()
        os.rename(f'{root}/one/old', f'{root}/two/moved')
        os.unlink(f'{root}/two/old')
        os.mkdir(f'{root}/one/new')
        for name in ('one/a', 'two/b', 'one/new/c', 'two/d', 'e', 'one/new/f'):
            with open(f'{root}/{name}', 'wb') as file:
                file.write(bytes(2000))
                os.fsync(file.fileno())
        shut_down(root, NO_FLUSH)


def make_xfs(image, megabytes, *options):
    os.truncate(os.open(image, os.O_CREAT | os.O_RDWR), megabytes << 20)
    run('mkfs.xfs', '--unsupported', '-q', '-f', *options, image)


def xfs_block_1024(image):
    make_xfs(image, 33, '-b', 'size=1024', '-d', 'agcount=2', '-m', 'reflink=1,rmapbt=1')
    with Mount(image) as root:
        fill(root, 1024, extents=700, entries=520, name_bytes=8, clones=True)
        make_directory(f'{root}/leaf', 150, 12)
        make_directory(f'{root}/block', 14, 20)
        set_attributes(root, 300)
    zero_log(image)


def xfs_block_4096(image):
    make_xfs(image, 20, '-d', 'agcount=1', '-i', 'nrext64=1')
    with Mount(image) as root:
        fill(root, 4096, entries=200, name_bytes=30)
        set_attributes(root, 300)
    zero_log(image)


def log_place(file):
    """Where the log begins, and how long it is, in bytes."""
    superblock = file.read(264)
    block_size, = struct.unpack_from('>I', superblock, 4)
    start, = struct.unpack_from('>Q', superblock, 48)
    group_blocks, log_blocks = (struct.unpack_from('>I', superblock, at)[0] for at in (84, 96))
    group, block = divmod(start, 1 << superblock[124])
    return (group * group_blocks + block) * block_size, log_blocks * block_size


def zero_log(image):
    """An empty log, which a file system that was unmounted can do with."""
    with open(image, 'r+b') as file:
        begin, length = log_place(file)
        file.seek(begin)
        file.write(bytes(length))


def zero_log_ahead(image):
    """Takes out the headers of empty records of cycle 0, of which a mount writes thousands."""
    with open(image, 'r+b') as file:
        begin, length = log_place(file)
        for at in range(begin, begin + length, 512):
            file.seek(at)
            if file.read(8) == struct.pack('>II', 0xfeedbabe, 0):
                file.seek(at)
                file.write(bytes(512))


def write_protofile(path, zeros, longest_link):
    lines = ['/no-boot-file', '0 0', 'd--755 0 0', f'plain ---644 0 0 {zeros}',
             f'sparse ---644 0 0 {zeros}', f'fragmented ---644 0 0 {zeros}',
             'short l--777 0 0 plain', 'pipe p--644 0 0', 'few d--755 0 0',
             'one ---644 0 0 /dev/null', '$', 'many d--755 0 0']
    lines += [f'{i}-abcdefghijklmnop ---644 0 0 /dev/null' for i in range(300)]
    with open(path, 'w', encoding='ascii') as file:
        file.write('\n'.join([*lines, '$', f'long l--777 0 0 {"z" * longest_link}', '$', '']))


def make_xfs_from_protofile(image, megabytes, longest_link, *options):
    """Filled by mkfs, so that nothing is in the log. It writes no link of version 5 into blocks."""
    with tempfile.NamedTemporaryFile() as protofile, tempfile.NamedTemporaryFile() as zeros:
        zeros.write(bytes(24 << 10))
        zeros.flush()
        write_protofile(protofile.name, zeros.name, longest_link)
        make_xfs(image, megabytes, *options, '-p', protofile.name)


def xfs_v4(image):
    make_xfs_from_protofile(image, 34, 500, '-b', 'size=512', '-d', 'agcount=1',
                            '-m', 'crc=0,finobt=0,rmapbt=0,reflink=0')


def dirty_xfs(*options, **dirty):
    def make(image):
        make_xfs_from_protofile(image, 20, 300, '-b', 'size=1024', '-d', 'agcount=1', *options)
        leave_dirty(image, 1024, has_clones=True, **dirty)
        zero_log_ahead(image)
    return make


def xfs_log_by_hand(*items):
    """The image xfs_block_1024 as it is kept, so that inodes and blocks are known, with a log."""
    def make(image):
        data = read_sparse(f'{IMAGES_FOLDER}/xfs_block_1024.sparse')
        with open(image, 'wb') as file:
            file.write(data)
        with open(image, 'r+b') as file:
            begin, _ = log_place(file)
            file.seek(begin)
            file.write(log.record(data[32:48], items))
    return make


# Inodes and blocks of the image xfs_block_1024.
PLAIN, FRAGMENTED, CLONED = 68, 71, 80
PLAIN_BLOCK, FRAGMENTED_BLOCK, FREE_BLOCK = 14, 780, 900

IMAGES = {
    'ext4_checksums': ext4_checksums,
    'ext4_block_4096': ext4_block_4096,
    'ext2_pointers': ext2_pointers,
    'ext4_inline_data': ext4_inline_data,
    'ext4_bigalloc': ext4_bigalloc,
    'ext4_two_levels': ext4_two_levels,
    'ext4_journal': dirty_ext4('metadata_csum,64bit', how=NO_FLUSH),
    'ext4_journal_plain': dirty_ext4('^metadata_csum,^64bit,uninit_bg', orphan=True),
    'ext4_journal_orphans': dirty_ext4('metadata_csum,64bit', 'orphan_file', orphan=True),
    'ext4_journal_pointers': dirty_ext4('^extents,^metadata_csum,^64bit', orphan=True),
    'ext4_journal_fast_commit': dirty_ext4('metadata_csum,64bit', 'fast_commit', 4, how=NO_FLUSH),
    # The journal of 1,024 blocks wraps.
    'ext4_journal_wrapped': dirty_ext4('metadata_csum,64bit', commits_before=98, how=NO_FLUSH),
    'ext4_journal_inline': ext4_journal_inline,
    'xfs_block_1024': xfs_block_1024,
    'xfs_block_4096': xfs_block_4096,
    'xfs_v4': xfs_v4,
    'xfs_log': dirty_xfs('-m', 'reflink=1,rmapbt=1', orphan=True),
    'xfs_log_busy': dirty_xfs('-m', 'reflink=1,rmapbt=1', busy=True),
    'xfs_log_intents': xfs_log_by_hand(
        log.intent(log.MAPPING, 1, log.mapping(PLAIN, PLAIN_BLOCK + 1, 1, 1, log.UNMAP)),
        log.intent(log.MAPPING, 2, log.mapping(PLAIN, FREE_BLOCK, 10, 2, log.MAP)),
        log.intent(log.MAPPING, 3,
                   log.mapping(FRAGMENTED, FREE_BLOCK + 2, 1, 1, log.MAP | log.UNWRITTEN)),
        log.intent(log.MAPPING, 4, log.mapping(FRAGMENTED, FREE_BLOCK + 3, 3, 1, log.MAP)),
        log.intent(log.MAPPING_DONE, 4),
        log.intent(log.MAPPING, 5,
                   log.mapping(PLAIN, FREE_BLOCK + 4, 0, 1, log.MAP | log.ATTRIBUTE_FORK)),
        log.intent(log.REFCOUNT, 6, log.refcount(PLAIN_BLOCK + 1, 1, log.INCREASE),
                   log.refcount(PLAIN_BLOCK, 1, log.DECREASE)),
        log.intent(log.REFCOUNT, 7, log.refcount(FREE_BLOCK, 8, log.ALLOCATE_STAGING)),
        log.intent(log.REFCOUNT, 8, log.refcount(FREE_BLOCK + 2, 2, log.FREE_STAGING)),
        log.intent(log.REFCOUNT, 9, log.refcount(FRAGMENTED_BLOCK, 1, log.DECREASE)),
        log.intent(log.EXTENT_FREE, 10, struct.pack('<QII', FREE_BLOCK, 4, 0)),
        log.intent(log.REVERSE_MAP, 11, log.mapping(PLAIN, FREE_BLOCK, 0, 1, log.MAP)),
        log.intent(log.ATTRIBUTE, 12, struct.pack('<QIIII', PLAIN, 1, 0, 0, 0))),
    'xfs_log_exchange': xfs_log_by_hand(
        log.intent(log.EXCHANGE, 1, struct.pack('<QQIIQQQQQ', PLAIN, CLONED, 0, 0, 0, 0, 3, 0, 0)),
        log.dquot(5, FREE_BLOCK * 2), log.dquot(6, FREE_BLOCK * 2 + 2), log.quota_off()),
    'xfs_log_unsynced': dirty_xfs('-m', 'reflink=1', '-l', 'su=32k', how=NO_FLUSH),
}


def pieces(data):
    """What is not zeros, as (begin, end)."""
    begin = None
    end = 0
    for at in range(0, len(data), LEAST_GAP):
        if data[at:at + LEAST_GAP].count(0) == min(LEAST_GAP, len(data) - at):
            continue
        if begin is not None and at > end:
            yield begin, end
            begin = None
        begin = at if begin is None else begin
        end = at + LEAST_GAP
    if begin is not None:
        yield begin, min(end, len(data))


def read_sparse(path):
    with open(path, 'rb') as file:
        data = file.read()
    size, = struct.unpack_from('<Q', data, len(MAGIC))
    image = bytearray(size)
    at = len(MAGIC) + 8
    while at < len(data):
        begin, length = struct.unpack_from('<QQ', data, at)
        image[begin:begin + length] = data[at + 16:at + 16 + length]
        at += 16 + length
    return image


def write_sparse(image, path):
    with open(image, 'rb') as file:
        data = file.read()
    with open(path, 'wb') as file:
        file.write(MAGIC + struct.pack('<Q', len(data)))
        for begin, end in pieces(data):
            file.write(struct.pack('<QQ', begin, end - begin) + data[begin:end])


def main():
    folder, names = sys.argv[1], sys.argv[2:] or IMAGES
    for name in names:
        with tempfile.TemporaryDirectory(dir='/dev/shm') as scratch:
            image = f'{scratch}/image'
            IMAGES[name](image)
            path = f'{folder}/{name}.sparse'
            write_sparse(image, path)
            print(f'{name}: {os.path.getsize(path)} bytes', flush=True)


if __name__ == '__main__':
    main()
