#!/usr/bin/env python3
"""The comparison of tools/demo finds what differs, and can fail."""

import unittest

import compare_blocks

LINES = [
    '{"image":"a.img","path":"/a","inode":12,"size":10000,"backend":"ext4","block_size":1024}',
    '{"offset":0,"length":2048,"type":"mapped","address":40960,"device":0,"flags":[]}',
    '{"offset":2048,"length":2048,"type":"unwritten","address":81920,"device":0,"flags":[]}',
    '{"offset":4096,"length":5904,"type":"hole","flags":[]}',
    '{"image":"a.img","path":"/empty","inode":13,"size":0,"backend":"ext4","block_size":1024}',
]
BLOCKS = [(40960, False), (41984, False), (81920, True), (82944, True)] + [(None, False)] * 6


class CompareBlocksTest(unittest.TestCase):
    """Claims about the reading of mappings and about differences."""

    def test_mappings_become_blocks_with_the_last_one_whole(self):
        files = compare_blocks.files_of(LINES)
        self.assertEqual([file.path for file in files], ['/a', '/empty'])
        self.assertEqual(files[0].blocks, BLOCKS)
        self.assertEqual(files[1].blocks, [])

    def difference_to(self, blocks):
        files = compare_blocks.files_of(LINES)
        return compare_blocks.first_difference(files, dict(zip(files, (blocks, []))), 'debugfs')

    def test_equal_answers_have_no_difference(self):
        self.assertIsNone(self.difference_to(BLOCKS))

    def test_a_difference_in_place_kind_or_presence_is_found(self):
        for index, other in ((1, (41985, False)), (2, (81920, False)), (9, (40960, False)),
                             (0, (None, False))):
            blocks = list(BLOCKS)
            blocks[index] = other
            self.assertIn(f'block {index} of /a: iomap says', self.difference_to(blocks))

    def test_answers_of_another_count_are_an_error(self):
        with self.assertRaises(ValueError):
            self.difference_to(BLOCKS[:-1])

    def test_a_mapping_that_is_moved_by_hand_is_found(self):
        files = compare_blocks.files_of(LINES)
        compare_blocks.move_one_mapping(files)
        answers = dict(zip(files, (BLOCKS, [])))
        self.assertEqual(compare_blocks.first_difference(files, answers, 'debugfs'),
                         'block 3 of /a: iomap says unwritten at byte 83968, '
                         'debugfs says unwritten at byte 82944')

    def test_a_file_that_cannot_be_mapped_is_an_error(self):
        with self.assertRaises(SystemExit):
            compare_blocks.files_of(['{"path":"/a","error":"encrypted"}'])


if __name__ == '__main__':
    unittest.main()
