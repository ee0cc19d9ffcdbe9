"""Writes a log of one record, with items that Linux leaves behind too rarely to wait for, into an
XFS image whose log is empty. Version 2, as a little-endian Linux writes it."""

import struct

SECTOR = 512
TRANSACTION, START, COMMIT = 0x69, 1, 2
BUFFER_BYTES = 32768

# Item types.
EXTENT_FREE, REVERSE_MAP, REFCOUNT, MAPPING, MAPPING_DONE = 0x1236, 0x1240, 0x1242, 0x1244, 0x1245
ATTRIBUTE, EXCHANGE, DQUOT, QUOTA_OFF = 0x1246, 0x1248, 0x123d, 0x123e

# What is to happen to a mapping, and to a reference count.
MAP, UNMAP, UNWRITTEN, ATTRIBUTE_FORK = 1, 2, 0x40000000, 0x80000000
INCREASE, DECREASE, ALLOCATE_STAGING, FREE_STAGING = 1, 2, 3, 4


def crc32c(data, crc=0xFFFFFFFF):
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def mapping(owner, start_block, file_block, count, flags):
    return struct.pack('<QQQII', owner, start_block, file_block, count, flags)


def refcount(start_block, count, flags):
    return struct.pack('<QII', start_block, count, flags)


def intent(kind, number, *extents):
    """An item of one region: a head, then the extents."""
    return [struct.pack('<HHIQ', kind, 1, len(extents), number) + b''.join(extents)]


def dquot(number, basic_block):
    return [struct.pack('<HHIQII', DQUOT, 2, number, basic_block, 1, 0),
            struct.pack('>HBBI', 0x4451, 1, 1, number) + bytes(96)]


def quota_off():
    return [struct.pack('<HHI', QUOTA_OFF, 1, 1) + bytes(24)]


def operation(data, flags=0):
    return struct.pack('>IIBBH', 1, len(data), TRANSACTION, flags, 0) + data


def record(uuid, items):
    """The bytes of a record, the first of a log: one transaction with these items."""
    regions = [struct.pack('<IIII', 0x5452414E, 41, 1, len(items))]
    regions += [region for item in items for region in item]
    body = bytearray(operation(b'', START) + b''.join(map(operation, regions))
                     + operation(b'', COMMIT))
    body += bytes(-len(body) % SECTOR)
    # The first number of each sector stands in the header, and the cycle in its place.
    kept = b''
    for at in range(0, len(body), SECTOR):
        kept += body[at:at + 4]
        body[at:at + 4] = struct.pack('>I', 1)
    sequence = 1 << 32  # cycle 1, block 0
    header = bytearray(struct.pack('>IIIIQQIII', 0xFEEDBABE, 1, 2, len(body), sequence, sequence,
                                   0, 0xFFFFFFFF, len(regions) + 2))
    header += kept.ljust(256, b'\0') + struct.pack('>I', 1) + uuid
    header += struct.pack('>I', BUFFER_BYTES)
    header += bytes(328 - len(header))
    struct.pack_into('<I', header, 32, crc32c(body, crc32c(header)) ^ 0xFFFFFFFF)
    return bytes(header).ljust(SECTOR, b'\0') + bytes(body)
