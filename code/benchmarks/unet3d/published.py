"""Where KiTS19's cases and the reference's checksums are published, and their digests."""

from __future__ import annotations

from code.benchmarks.unet3d.facts import DATA_PATH, IMAGING, SEGMENTATION
from code.rules.benchmark_facts import PublishedFile

DATA_SOURCE = "https://github.com/neheller/kits19"
DATA_COMMIT = "456b293435b25303bbc7995f094f83a0afdff0eb"  # 2026-05-13: labels are in Git, images in a data set at Hugging Face
DATA_LICENCE = "CC BY-NC-SA 4.0 (KiTS19)"
# Newest first.
IMAGING_URLS = (
    "https://huggingface.co/datasets/neheller/KiTS-Challenge-Imaging/resolve/main/images/{case}.nii.gz",
    "https://kits19.sfo2.digitaloceanspaces.com/master_{number:05d}.nii.gz",
)
SEGMENTATION_URLS = (
    f"https://raw.githubusercontent.com/neheller/kits19/{DATA_COMMIT}/data/{{case}}/segmentation.nii.gz",
    "https://raw.githubusercontent.com/neheller/kits19/master/data/{case}/segmentation.nii.gz",
)

# MLCommons' own digests of the reference's preprocessed cases, at a fixed commit.
_META = "https://raw.githubusercontent.com/mlcommons/inference/{ref}/vision/medical_imaging/3d-unet-kits19/meta/"
_META_COMMIT = "b66003e10e2db4b8c36a448b0545ec90fcc6e9e9"
CHECKSUMS = tuple(
    PublishedFile(
        f"data/KiTS19/{name}",
        _META.format(ref=_META_COMMIT) + name,
        label,
        size=size,
        sha256=digest,
        also=(_META.format(ref="v5.1") + name,),
        licence="Apache-2.0",
    )
    for name, label, size, digest in (
        (
            "checksum_inference.json",
            "the reference's digests of the preprocessed cases",
            2496,
            "0527aa95f0c90109d880c17108429bd24d0b06ab966ab1ec6f3b21f54f6d8665",
        ),
        (
            "checksum_calibration.json",
            "the reference's digests of the preprocessed calibration cases",
            1162,
            "bfba8253058aef2e137bf28d8e977512aa0550f495f8b22bb133e28b7666077d",
        ),
    )
)


def case_files(name: str) -> tuple[PublishedFile, PublishedFile]:
    """The labels and the image of a case that KiTS19 publishes."""
    fill = {"case": name, "number": int(name.removeprefix("case_"))}
    labels, images = ([url.format(**fill) for url in urls] for urls in (SEGMENTATION_URLS, IMAGING_URLS))
    digest = LABEL_SHA256.get(name)
    return (
        PublishedFile(
            f"{DATA_PATH}/{name}/{SEGMENTATION}",
            labels[0],
            f"{name} labels",
            sha256=digest,
            megabytes=1,
            also=(*labels[1:],),
            licence=DATA_LICENCE,
        ),
        PublishedFile(
            f"{DATA_PATH}/{name}/{IMAGING}", images[0], f"{name} image", megabytes=120, also=(*images[1:],), licence=DATA_LICENCE
        ),
    )


LABEL_SHA256 = {
    "case_00000": "d1019d9a690e193e167cadf3518499e9ed54c1c7757ce520152a3ed072159e09",
    "case_00003": "fcbb1e23746beab53c7fbd97915a855ce1f15be7c76b42affa0b30ccca63f98c",
    "case_00005": "bb8ced0aeac5f339f8981892fa0132ad3c806a37fbb33464b4b3af577f14e909",
    "case_00006": "6590efb3e5d3090dda350da2acef0d01e3cdb0b34764e878209daa72f8ba8bd0",
    "case_00012": "cc769adcd9c617d95a81c0208510a1f2534328a8275433d58b20d17d3e5ab60c",
    "case_00024": "bbf6a7d8713d0b1fa41c4b546a8013b65261c0657379af2d851af4fbd1ed7a48",
    "case_00034": "a4e4e6f2c52b5253cde80b9b32b970bfc2b83fa97d29b1fbc3eb00ae056fc2ec",
    "case_00041": "a513d5fa675323b739520a4a5a38f7f3fbf23c2d2396e7dd7be0e890feba579f",
    "case_00044": "dc851aea8d1a8921a8e5c6281784ae6b2b14fc14d3d2cfc01658240d58ff739d",
    "case_00049": "45c0a7bcc44edf478c6557ecac05319b239847fe68738301a0713ae13e5a9ed0",
    "case_00052": "062855b421c08ef6f205741fe5ce727e059f9d04b543f530a77edd00f5edee84",
    "case_00056": "a07de54540c0e8fbf62e0e47d02752a789e4929da53baa9a513c8348edb41693",
    "case_00061": "f0ac28b3fae9303378f40121ee4ccc725a69c9e88a899e5d634e1ff0dfd20469",
    "case_00065": "779e39d3131b043be241fe6beb44abcbcff54e4f4eb4964a4147cb3c406c8fdd",
    "case_00066": "377d98684bb0469c231866558a1323073c04c05a4b010413da03c1e6927e8e94",
    "case_00070": "08040019380efe132cdab8b7641650d4f369cd64c9c953edd411316bc0dcd60c",
    "case_00076": "bcb3e2618a10c1f25a3b18fa3e0d300f505f44cff32f59d65b67d3be5e16c2e4",
    "case_00078": "5ad3f34d5a1c7b5ce988748b0e65f6859d87de9aef597412942cd3d1e6d1161a",
    "case_00080": "62a9feac012eb13c683512f37d7c5a1ed8234f4c07193dd8e9c35b94da119137",
    "case_00084": "fc82b04e2bd9dc505bc48b06de806e917da95dd4c0b5a67d4fbaf905b2e2cab6",
    "case_00086": "34a5dbcd684998d0dfb38e7fb08941faf3aa631953a058c63c19f8511c205c88",
    "case_00087": "7498fd9314fb7027b954342530e4a30f30648bbc7760233c2640347a048ff186",
    "case_00092": "70acffdfda69fb4fe97a8962f7d8a994b445872cdeec79796046b9dcf0829255",
    "case_00111": "97e97a802364be4be3c274cc064f584f505fea00a33ed05bb49c66ca82c91347",
    "case_00112": "3956f828872775f378c48ec27ab75dd385d4f9dc180ddd37387e2abbda55a72e",
    "case_00125": "4472af57d6af10c1d6d9ed967bc01fb3a13006706e3067a6a3f9c0494b1782eb",
    "case_00128": "b7bcf93d310c9ca46a741e15bebaa5b2e241a15a432bd91c4fac49403b68cb25",
    "case_00138": "aa3f75cd75e42261355ef46fdfcaf759226bf5a9cf1c51b35114aa88395f9ce5",
    "case_00157": "3ed2c679767dd9ae510db1f86218cebe504aab0ff82316080eecc138ab7af052",
    "case_00160": "56ba118c0aa8b3b0ef07cb21495a43ce9adcf8eba13568440fc5eb98f5f6dac9",
    "case_00161": "880efb6108a9d7dd0be34ae2fc5b3a52dba8835cb2844483df0ee86fd4fb7304",
    "case_00162": "93ef37ed63f4720ba6d406ee90d2ba53ac93329cdf886183d374376ab2752f89",
    "case_00169": "80671b01eb5bbaf3102f0f4991aa602141d5f5c8c7e431d18ed98ff4434f8abc",
    "case_00171": "a859e3e7453d02f785932cd4de5fbc22c4040d6b20b40ecbb6ae7a170c564404",
    "case_00176": "fbabfc5dfac0598a7cba319fb1067e2a7f151428bba591782b79b12bffc02c95",
    "case_00185": "04a5d298bf12149983cac7992cb795db77986ee09f50161774cbede766e48f92",
    "case_00187": "756013b57501e08b87e027450cb83a58beb2165e02ed4f46e1ef08d5b7f23e83",
    "case_00189": "1bc2b3a2496011dedfe3c1aaa1fd3d52a4d4947a8d9ca997f8385f4fc4ff7d2e",
    "case_00198": "14f55d38bd81243edb0bd543897f0d321c73d8aa78ca690e112702447eae0063",
    "case_00203": "cf57478623972e36e5682ccd8d4abe334a5f94208c166782571c83d0855f5ce7",
    "case_00206": "1520f467f1b617b96f2fe932bde3955b3f4949ef6b32a6ee50c7b972a5de36e8",
    "case_00207": "9e94efdf1519e76f70ea4970a7c10d496385ef35d48ed8c31fb31307f7cce80f",
    "case_00050": "085a9a1c37c08eb004e00f62b35d25e7f29aa0a2db0ebe5cfa8f78c22c05b598",
    "case_00117": "23695c0a9da27a64baee24009135d7dbfa424b6e648b09233d5e3031adb09ad3",
    "case_00172": "9749021533348e89538fd4592755f5cf9e578d2420a7d2b02ddc8ffed3029ff9",
    "case_00149": "c90159d2484e70c04cee86983c715c948fb931c9eda80d9bf1fb195273185c46",
    "case_00091": "1a89114a9f539939d9ccd1ebc6ea7095f404fc9b724bef44e84ecbaef3fbad3e",
    "case_00147": "5d78363cd841f64ebe1716a366c84bb28a98292aeede23638144c5df97b5a8df",
    "case_00144": "6e6a7ac2fd701bbeb3221ae6c68c145fec27de8a137067624b3720bb062c35a1",
    "case_00100": "ed9887741e74b99245701f531e019f887864cfd5c3b2916ec5f13eeef6267ba3",
    "case_00090": "6c3317d87a55dc761bc0e00d12ca8b3557e0958d264bf40f6abc56bee0cc11c8",
    "case_00196": "168c205bc1b2c47786f3915872826974b6015e56e18077352abae1c4aa2a02c2",
    "case_00183": "94bdf66d32652bfaae75b67eafa10710aaa3844028988462fecc3c37d621f481",
    "case_00130": "3383daa651bd131494bc9065ea203ca66627c5ca6d0a358d9343ae9fd2717c9b",
    "case_00136": "dc88be1dff4f8101e67e340f8a650cab97ae4f2bb76b97dd7dc19cb54d1992f1",
    "case_00047": "384192c0c58b09f842c08e7ac9de4670246c2c9e9c6334cf0ae94305637fae2b",
    "case_00073": "9421ef2a1e6c516e459a7cff786e259979e5df06d6374b464d40edaf8bdf02cd",
    "case_00141": "f185af5e89e3db23202a9914d87030b712e6a49cf7a01c9db7b1132f25fa4568",
    "case_00053": "d38d4ca820496f3bf2f417b7e54f901eb2b4d7009914cbc59c01fea4e8e504e8",
    "case_00148": "506cfc726c58de0ca2517178b68c48ba95bc22d53cfd8fd2c95c6c49ba9bc015",
    "case_00081": "691bd8fd51817e7abbaa427e6065518e6eb31bfaa903c7b7d872112c2547229a",
    "case_00150": "3b60273ad57876ded77e6b1f2695dd8dbb5921c0ea4b11a74f31f6f8174187da",
}
"""Case → SHA-256 of its segmentation.nii.gz at `DATA_COMMIT`."""
