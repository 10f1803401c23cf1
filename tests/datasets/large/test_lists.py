from __future__ import annotations

import os
import shutil
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from jal.datasets.large import lists
from jal.datasets.large.known import CLOTHES, PUBLISHED, SPLITS, SYNSETS
from jal.errors import InputError


def rows(listing):
    return list(
        zip([os.fsdecode(path) for path in listing.paths.tolist()], listing.labels.tolist(), strict=True)
    )


def found(listing):
    return [(problem.kind, problem.name) for problem in listing.problems]


def refuse(name, split, root, message):
    with pytest.raises(InputError, match=message) as error:
        lists.read(name, split, root)
    assert "\n" not in str(error.value)


def test_what_is_known_fits_together():
    assert [*SYNSETS] == sorted(SYNSETS)
    assert len(SYNSETS) == len(set(SYNSETS.values())) == 50
    assert len(CLOTHES) == 14
    assert {*PUBLISHED} == {(name, split) for name, splits in SPLITS.items() for split in splits}


def test_the_names_of_the_classes_are_torchvisions():
    from jal.vision import torchvision

    assert tuple(torchvision().models.ResNet50_Weights.DEFAULT.meta["categories"][:50]) == tuple(
        SYNSETS.values()
    )


class TestWebVision:
    def test_the_first_fifty_classes_are_read_in_the_order_of_the_list(self, root, webvision):
        train = lists.read("webvision", "train", root)
        assert rows(train) == [
            ("google/q0001/a.jpg", 0),
            ("google/q0002/b c.jpg", 1),
            ("google/q0071/d.jpg", 49),
        ]
        assert train.labels.dtype == np.int64
        assert train.base == webvision
        assert train.classes[49] == "African crocodile"
        assert train.problems == ()
        val = lists.read("webvision", "val", root)
        assert rows(val) == [("val000001.jpg", 0), ("val000002.jpg", 4)]
        assert val.base == webvision / "val_images_256"

    def test_the_original_sizes_are_read_where_the_small_ones_are_not(self, root, webvision):
        (webvision / "val_images_256").rename(webvision / "val_images")
        assert lists.read("webvision", "val", root).base == webvision / "val_images"

    def test_line_ends_blank_lines_and_a_byte_order_mark_are_nothing(self, root, webvision, put):
        put(
            webvision / "info/train_filelist_google.txt",
            "\ufeffgoogle/a.jpg 0\r\n\r\ngoogle/b  c.jpg\t2 \r\n\r\n \n\n",
        )
        listing = lists.read("webvision", "train", root)
        assert rows(listing) == [("google/a.jpg", 0), ("google/b  c.jpg", 2)]
        assert listing.problems == ()

    def test_bad_lines_are_all_told_and_left_out(self, root, webvision, put):
        put(
            webvision / "info/train_filelist_google.txt",
            b"google/a.jpg 0\ngoogle/b.jpg\ngoogle/c.jpg 1000\ngoogle/d.jpg -1\n../../etc/passwd 1\n/etc/passwd 2\n"
            b"google/../../e.jpg 3\ngoogle\\..\\f.jpg 3\nC:/g.jpg 3\ngoogle/h.jpg 4\ngoogle/h.jpg 5\ngoogle/i\0.jpg 6\n"
            b"google/j.jpg 99999999999999999999\n" + b"k" * 2000 + b".jpg 7\ngoogle/l..m.jpg 8\n7\n",
        )
        listing = lists.read("webvision", "train", root)
        assert rows(listing) == [("google/a.jpg", 0), ("google/l..m.jpg", 8)]
        list_ = "train_filelist_google.txt"
        assert sorted(found(listing)) == sorted(
            [
                ("bad line", f"{list_}:2"),
                ("bad label", f"{list_}:3"),
                ("bad line", f"{list_}:4"),
                ("outside", "../../etc/passwd"),
                ("outside", "/etc/passwd"),
                ("outside", "google/../../e.jpg"),
                ("outside", "google\\..\\f.jpg"),
                ("outside", "C:/g.jpg"),
                ("two labels", "google/h.jpg"),
                ("two labels", "google/h.jpg"),
                ("bad line", "google/i\\x00.jpg"),
                ("bad line", f"{list_}:13"),
                ("bad line", "k" * 200),
                ("bad line", f"{list_}:16"),
            ]
        )
        assert listing.count == 16

    def test_a_long_list_takes_little_memory(self, root, webvision):
        """Of a thousand classes the first fifty are held, and the file of 29 MB never whole."""
        with (webvision / "info/train_filelist_google.txt").open("w") as file:
            for number in range(400_000):
                file.write(
                    f"google/q0001/some_rather_long_name_for_an_image_{number:09d}.jpg {number % 1000}\n"
                )
        tracemalloc.start()
        try:
            assert lists.read("webvision", "train", root).count == 20_000
            assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
        finally:
            tracemalloc.stop()

    def test_a_line_that_is_there_twice_counts_twice_and_is_told(self, root, webvision, put):
        put(webvision / "info/train_filelist_google.txt", "google/a.jpg 0\ngoogle/a.jpg 0\n")
        listing = lists.read("webvision", "train", root)
        assert rows(listing) == [("google/a.jpg", 0)] * 2
        assert any("lines that list an image once more: 1" in remark for remark in listing.remarks)

    def test_another_number_of_images_than_the_published_is_told(self, root, webvision):
        assert lists.read("webvision", "train", root).remarks == (
            "65,944 images are published, the list has 3",
        )

    def test_a_list_of_nothing_is_refused(self, root, webvision, put):
        for content in ("", "\r\n\n", "google/a.jpg 50\n"):
            put(webvision / "info/train_filelist_google.txt", content)
            refuse("webvision", "train", root, "no image of its 50 classes is listed")

    def test_another_order_of_classes_is_refused(self, root, webvision, put):
        synsets = [*SYNSETS]
        synsets[2:4] = synsets[3:1:-1]
        put(webvision / "info/synsets.txt", "\n".join(synsets))
        refuse(
            "webvision",
            "train",
            root,
            r"synsets.txt: class 2 is n01491361, expected n01484850 \(great white shark\)",
        )
        put(webvision / "info/synsets.txt", "\n".join([*SYNSETS][:49]))
        refuse("webvision", "val", root, "synsets.txt has 49 classes, expected 50 or more")
        (webvision / "info/synsets.txt").unlink()
        assert "is not checked" in lists.read("webvision", "val", root).remarks[0]

    def test_what_is_not_extracted_is_named(self, root, webvision):
        shutil.rmtree(webvision / "google")
        refuse(
            "webvision", "train", root, "no folder .*/webvision/google: extract google_resized_256.tar there"
        )
        shutil.rmtree(webvision / "val_images_256")
        refuse("webvision", "val", root, "no folder .*/val_images_256: extract val_images_256.tar there")
        (webvision / "info/val_filelist.txt").unlink()
        refuse(
            "webvision", "val", root, "no file .*/info/val_filelist.txt: extract WebVision's info.tar there"
        )

    def test_a_list_that_is_no_file_is_refused(self, root, webvision, loop):
        file = webvision / "info/val_filelist.txt"
        file.unlink()
        loop(file)
        refuse("webvision", "val", root, "val_filelist.txt cannot be read")
        file.unlink()
        file.mkdir()
        refuse("webvision", "val", root, "val_filelist.txt is not a file")


class TestIlsvrc12:
    def flat(self, folder, put, count=4):
        """The release's own layout: one folder, labels elsewhere."""
        shutil.rmtree(folder)
        for number in range(1, count + 1):
            put(folder / f"ILSVRC2012_img_val/ILSVRC2012_val_{number:08}.JPEG")

    def test_a_folder_a_synset(self, root, ilsvrc12, put):
        put(ilsvrc12 / "val/n01443537/.DS_Store", "x")
        listing = lists.read("ilsvrc12", "val", root)
        assert len(rows(listing)) == 51
        assert rows(listing)[:3] == [
            ("n01440764/ILSVRC2012_val_00000001.JPEG", 0),
            ("n01440764/ILSVRC2012_val_00000293.JPEG", 0),
            ("n01443537/ILSVRC2012_val_00000002.JPEG", 1),
        ]
        assert rows(listing)[-1] == ("n01697457/ILSVRC2012_val_00000050.JPEG", 49)
        assert listing.classes == tuple(SYNSETS.values())
        assert listing.remarks == ("2,500 images are published, the list has 51",)

    def test_other_folders_than_the_classes_are_refused(self, root, ilsvrc12):
        (ilsvrc12 / "val/n01484850").rename(ilsvrc12 / "val/n01484851")
        refuse("ilsvrc12", "val", root, r"class 2 is n01484851, expected n01484850 \(great white shark\)")
        (ilsvrc12 / "val/n01484851").rename(ilsvrc12 / "val/n01484850")
        shutil.rmtree(ilsvrc12 / "val/n01698640")
        shutil.rmtree(ilsvrc12 / "val/n01697457")
        refuse("ilsvrc12", "val", root, "has 49 classes, expected 50 or more")

    def test_kaggles_solution(self, root, ilsvrc12, put):
        self.flat(ilsvrc12, put)
        (ilsvrc12 / "ILSVRC/Data/CLS-LOC").mkdir(parents=True)
        (ilsvrc12 / "ILSVRC2012_img_val").rename(ilsvrc12 / "ILSVRC/Data/CLS-LOC/val")
        put(
            ilsvrc12 / "LOC_val_solution.csv",
            "ImageId,PredictionString\nILSVRC2012_val_00000003,n01443537 1 2 3 4 n01443537 5 6 7 8 \n"
            "ILSVRC2012_val_00000002,n02119789 255 142 454 329\nILSVRC2012_val_00000001,n01440764 0 0 9 9\nbroken\n",
        )
        listing = lists.read("ilsvrc12", "val", root)
        assert rows(listing) == [("ILSVRC2012_val_00000003.JPEG", 1), ("ILSVRC2012_val_00000001.JPEG", 0)]
        assert found(listing) == [("bad line", "LOC_val_solution.csv:5")]
        assert listing.base == ilsvrc12 / "ILSVRC/Data/CLS-LOC/val"

    def kit(self, folder, synsets, packed=False, **more):
        """The development kit's meta.mat: its numbers are not the order of the synset ids."""
        savemat = pytest.importorskip("scipy.io").savemat
        table = np.zeros(len(synsets), [("ILSVRC2012_ID", object), ("WNID", object), ("words", object)])
        for row, (number, synset) in enumerate(synsets):
            table[row] = (float(number), synset, "words")
        folder.mkdir(parents=True, exist_ok=True)
        savemat(folder / "meta.mat", {"synsets": table} | more, do_compression=packed)

    @pytest.mark.parametrize("place", ["ILSVRC2012_devkit_t12/data", "."])
    def test_the_development_kit(self, root, ilsvrc12, put, place):
        self.flat(ilsvrc12, put)
        self.kit(
            ilsvrc12 / place, [(1, "n02119789"), (2, "n01697457"), (3, "n01440764"), (1001, "n00001740")]
        )
        put(ilsvrc12 / place / "ILSVRC2012_validation_ground_truth.txt", "3\n1\n2\n77\n")
        listing = lists.read("ilsvrc12", "val", root)
        assert rows(listing) == [("ILSVRC2012_val_00000001.JPEG", 0), ("ILSVRC2012_val_00000003.JPEG", 49)]
        assert found(listing) == [("bad label", "ILSVRC2012_validation_ground_truth.txt:4")]

    def test_a_damaged_kit_is_refused(self, root, ilsvrc12, put):
        pytest.importorskip("scipy")
        self.flat(ilsvrc12, put)
        put(ilsvrc12 / "ILSVRC2012_validation_ground_truth.txt", "3\n")
        refuse("ilsvrc12", "val", root, "meta.mat cannot be read")
        for content in (b"", b"MATLAB 5.0 MAT-file", bytes(400)):
            put(ilsvrc12 / "meta.mat", content)
            refuse("ilsvrc12", "val", root, "is not the kit's meta.mat")

    @pytest.mark.parametrize("packed", [True, False])
    def test_the_kit_is_unpacked_within_a_bound(self, root, ilsvrc12, put, monkeypatch, packed):
        self.flat(ilsvrc12, put)
        self.kit(ilsvrc12, [(1, "n01440764"), (2, "n02119789")], packed)
        put(ilsvrc12 / "ILSVRC2012_validation_ground_truth.txt", "1\n")
        assert rows(lists.read("ilsvrc12", "val", root)) == [("ILSVRC2012_val_00000001.JPEG", 0)]
        monkeypatch.setattr(lists, "_LARGEST_KIT", 2**16)
        self.kit(ilsvrc12, [(1, "n01440764"), (2, "n02119789")], packed, more=np.zeros(2**14))
        refuse(
            "ilsvrc12",
            "val",
            root,
            "would unpack to too many bytes" if packed else "has more than 65536 bytes",
        )

    def test_the_kit_without_scipy_says_what_else_would_do(self, root, ilsvrc12, put, monkeypatch):
        self.flat(ilsvrc12, put)
        put(ilsvrc12 / "ILSVRC2012_validation_ground_truth.txt", "3\n")
        monkeypatch.setitem(sys.modules, "scipy.io", None)
        refuse("ilsvrc12", "val", root, "needs scipy, which is not installed: .*LOC_val_solution.csv")

    def test_caffes_list(self, root, ilsvrc12, put):
        self.flat(ilsvrc12, put)
        put(
            ilsvrc12 / "val.txt",
            "ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000002.JPEG 49\nILSVRC2012_val_00000003.JPEG 0\nx\n",
        )
        listing = lists.read("ilsvrc12", "val", root)
        assert rows(listing) == [("ILSVRC2012_val_00000002.JPEG", 49), ("ILSVRC2012_val_00000003.JPEG", 0)]
        assert found(listing) == [("bad line", "val.txt:4")]

    def test_the_kits_numbers_under_caffes_name_are_refused(self, root, ilsvrc12, put):
        self.flat(ilsvrc12, put)
        put(ilsvrc12 / "val.txt", "ILSVRC2012_val_00000001.JPEG 490\nILSVRC2012_val_00000002.JPEG 1\n")
        refuse("ilsvrc12", "val", root, "does not number the classes by synset id")

    def test_images_without_labels_are_refused(self, root, ilsvrc12, put):
        self.flat(ilsvrc12, put)
        refuse("ilsvrc12", "val", root, "neither a folder a synset .* LOC_val_solution.csv")


class TestClothing1M:
    def test_each_split_has_its_own_labels(self, root, clothing1m):
        noisy = lists.read("clothing1m", "noisy_train", root)
        assert rows(noisy) == [
            ("images/2/02/27,82.jpg", 5),
            ("images/0/00/07,80.jpg", 13),
            ("images/1/01/17,81.jpg", 0),
        ]
        assert noisy.base == clothing1m
        assert noisy.classes == CLOTHES
        assert rows(lists.read("clothing1m", "clean_train", root)) == [("images/2/02/27,82.jpg", 6)]
        assert rows(lists.read("clothing1m", "clean_val", root)) == [("images/3/03/37,83.jpg", 1)]
        assert [label for _, label in rows(lists.read("clothing1m", "clean_test", root))] == [3, 2]

    def test_the_lists_may_lie_in_annotations_and_the_file_names_the_classes(self, root, clothing1m, put):
        for file in clothing1m.glob("*.txt"):
            put(clothing1m / "annotations" / file.name, file.read_bytes())
            file.unlink()
        put(
            clothing1m / "annotations/category_names_eng.txt",
            "\r\n".join([*"abcdefghijklm", "Under wear"]) + "\r\n",
        )
        listing = lists.read("clothing1m", "noisy_train", root)
        assert len(rows(listing)) == 3
        assert listing.classes == (*"abcdefghijklm", "Under wear")
        put(clothing1m / "annotations/category_names_eng.txt", "a\nb\n")
        refuse("clothing1m", "noisy_train", root, "names 2 classes, expected 14")

    def test_keys_without_a_usable_label_are_all_told(self, root, clothing1m, put):
        put(
            clothing1m / "noisy_train_key_list.txt",
            "images/a.jpg\nimages/b.jpg\nimages/c.jpg\n../d.jpg\nimages/e f.jpg\n",
        )
        put(
            clothing1m / "noisy_label_kv.txt",
            "images/a.jpg 14\nimages/c.jpg 1\nimages/c.jpg 2\n../d.jpg 3\nimages/e f.jpg 4\nnothing\nimages/x.jpg 1\n",
        )
        listing = lists.read("clothing1m", "noisy_train", root)
        assert rows(listing) == [("images/e f.jpg", 4)]
        assert found(listing) == [
            ("bad label", "images/a.jpg"),
            ("no label", "images/b.jpg"),
            ("two labels", "images/c.jpg"),
            ("outside", "../d.jpg"),
        ]
        assert listing.count == 5
        assert (
            "lines that are not an image and its label: 1, the first noisy_label_kv.txt:6" in listing.remarks
        )

    def test_what_is_not_extracted_is_named(self, root, clothing1m):
        shutil.rmtree(clothing1m / "images")
        refuse(
            "clothing1m",
            "clean_test",
            root,
            "no folder .*/images: extract Clothing1M's archives of images there",
        )
        (clothing1m / "clean_label_kv.txt").unlink()
        refuse(
            "clothing1m",
            "clean_test",
            root,
            "no file .*/clean_label_kv.txt: extract Clothing1M's archive of annotations",
        )


class TestFolder:
    def test_it_is_named_by_the_argument_or_the_environment_or_is_the_datasets_own(
        self, root, webvision, monkeypatch
    ):
        assert lists.dataset_folder("webvision", root) == webvision
        assert lists.dataset_folder("webvision", str(webvision)) == webvision
        monkeypatch.setenv("JAL_DATA", str(root))
        assert lists.dataset_folder("webvision", None) == webvision
        monkeypatch.setenv("HOME", str(root))
        assert lists.dataset_folder("webvision", "~") == webvision

    def test_the_case_of_its_letters_is_nothing(self, root, clothing1m):
        assert clothing1m.name == "Clothing1M"
        assert lists.dataset_folder("clothing1m", root) == clothing1m

    def test_none_is_refused(self, root, monkeypatch):
        monkeypatch.delenv("JAL_DATA", raising=False)
        refuse(
            "webvision", "train", None, "set JAL_DATA or --data-root to the folder that has webvision/ in it"
        )
        refuse("webvision", "train", root / "absent", "no folder .*/absent")
        refuse("ilsvrc12", "val", root, "no folder .*/data/val: .*or to the one above a folder of its name")

    def test_unknown_names_are_refused(self, root):
        refuse("webvison", "train", root, "unknown large dataset 'webvison': did you mean 'webvision'")
        refuse("webvision", "test", root, "unknown split of webvision 'test': .*train, val")

    def test_a_folder_without_permission_is_refused(self, root, ilsvrc12, monkeypatch):
        real = Path.iterdir

        def iterdir(path):
            if path.name == "n01440764":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(Path, "iterdir", iterdir)
        refuse("ilsvrc12", "val", root, "/n01440764 cannot be read .Permission denied.")
