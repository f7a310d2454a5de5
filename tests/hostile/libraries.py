"""The work left to a library that is not allowed in the lesson, or to the reference."""

from pathlib import Path

from . import BACKWARD, Attack
from .imposters import answer

REPOSITORY = Path(__file__).resolve().parents[2]


def by(slug, tries, body, head="", **more):
    return Attack(slug=slug, tries=tries, cells=answer(body, head), **more)


ATTACKS = (
    by(
        "torch-functional",
        "torch does it.",
        """import torch.nn.functional as F, torch
    return F.conv2d(torch.tensor(image * 1.0)[None, None], torch.tensor(kernel * 1.0)[None, None])[0, 0].numpy()""",
        limits={"timeout": 20},
    ),
    by(
        "torch-layer",
        "A layer of torch, imported by a name put together at run time, does it.",
        """t = __import__('tor' + 'ch')
    layer = t.nn.Conv2d(1, 1, kernel.shape, bias=False)
    layer.weight.data = t.tensor(kernel * 1.0)[None, None]
    return layer(t.tensor(image * 1.0)[None, None])[0, 0].detach().numpy()""",
        limits={"timeout": 20},
    ),
    by(
        "scipy-signal",
        "SciPy does it.",
        """import scipy.signal
    return scipy.signal.correlate2d(image * 1.0, kernel * 1.0, mode='valid')""",
    ),
    by(
        "scipy-ndimage",
        "SciPy's ndimage does it.",
        """from scipy import ndimage
    m, n = kernel.shape
    out = ndimage.correlate(np.pad(image * 1.0, ((m, m), (n, n))), kernel * 1.0, mode='constant')
    i, j = m + m // 2, n + n // 2
    return out[i : i + image.shape[0] - m + 1, j : j + image.shape[1] - n + 1]""",
    ),
    by(
        "scipy-fft",
        "SciPy's FFT convolution, reached through its submodules, does it.",
        """import importlib
    f = importlib.import_module('scipy.signal._signaltools').fftconvolve
    return f(image * 1.0, (kernel * 1.0)[::-1, ::-1], mode='valid')""",
    ),
    by("library-conv2d", "The course's own convolution does it.", "return library.conv2d(image[None], kernel[None, None])[0]"),
    by(
        "library-by-importlib",
        "The course's own convolution, imported anew, does it.",
        """import importlib, sys
    for name in [n for n in sys.modules if n.startswith('course_lib')]: del sys.modules[name]
    return importlib.import_module('course_lib.convolution').conv2d(image[None], kernel[None, None], method='loops')[0]""",
    ),
    by(
        "library-parts",
        "Parts of the library (windows, im2col, the convolution matrix, a layer) do it.",
        """import course_lib.layers as l
    layer = l.Conv2d(1, 1, kernel.shape)
    layer.weight.value, layer.bias.value = (kernel * 1.0)[None, None], np.zeros(1)
    return layer(image[None, None] * 1.0)[0, 0]""",
    ),
    by(
        "library-windows",
        "The library's sliding windows are all that is needed.",
        "return np.einsum('nchwuv,uv->nchw', library.sliding_windows(image[None, None] * 1.0, kernel.shape), kernel)[0, 0]",
    ),
    by(
        "library-backward",
        "The library's gradient gives the forward pass.",
        """import course_lib.convolution as c
    image, kernel = (np.array(one, float)[None, None] for one in (image, kernel))
    return c.conv2d_backward(kernel, image, image[..., : 1 - kernel.shape[2] or None, : 1 - kernel.shape[3] or None])[1][0, 0]""",
    ),
    by(
        "reference-called",
        "The reference of the exercise is called.",
        """from course_lib.checks import EXERCISES
    return EXERCISES['conv2d'].reference(image, kernel)""",
    ),
    Attack(
        slug="reference-handed-in",
        tries="The reference of the exercise is handed in.",
        cells={
            "ex-conv2d": """from course_lib.checks import EXERCISES
conv2d = EXERCISES['conv2d'].reference"""
        },
    ),
    by(
        "reference-of-lesson-1",
        "The library's helper behind the first lessons' answers is called.",
        """import course_lib.checks.lesson_02 as l
    return [f for n, f in vars(l).items() if callable(f) and 'conv2d' in n][0](image, kernel)""",
    ),
    by(
        "source-executed",
        "The library's source is read by inspect and executed as the student's own.",
        "return OWN['conv2d'](np.array(image)[None], np.array(kernel)[None, None])[0]",
        """import inspect, course_lib.convolution
OWN = {'__name__': 'course_lib.convolution', '__package__': 'course_lib'}
exec(inspect.getsource(course_lib.convolution), OWN)""",
    ),
    by(
        "source-from-disk",
        "The library's source is found on the disk and executed as the student's own.",
        "return OWN['conv2d'](np.array(image)[None], np.array(kernel)[None, None])[0]",
        """import os, sys
OWN = None
for root in (*sys.path, *(os.path.dirname(p) for p in sys.path), """
        + repr(str(REPOSITORY))
        + """, sys.prefix):
    for where, inside, names in os.walk(root or '.'):
        inside[:] = [d for d in inside if d not in ('torch', 'nvidia', 'scipy', 'numpy', 'MNIST')]
        for name in names:
            if name.startswith('convolution') and name.endswith(('.py', '.pyc')) and 'course_lib' in where and OWN is None:
                try:
                    path = os.path.join(where, name)
                    own = {'__name__': 'course_lib.convolution', '__package__': 'course_lib', '__file__': path}
                    if name.endswith('.py'): exec(open(path).read(), own)
                    else:
                        import marshal
                        exec(marshal.loads(open(path, 'rb').read()[16:]), own)
                    if 'conv2d' in own: OWN = own
                except Exception: pass
""",
        limits={"timeout": 40},
    ),
    by(
        "subprocess",
        "Another Python, started for the purpose, asks the library.",
        """code = '''import sys, pickle, course_lib.convolution as c
i, k = pickle.load(sys.stdin.buffer)
pickle.dump(c.conv2d(i[None], k[None, None])[0], sys.stdout.buffer)'''
    asked = pickle.dumps((np.array(image), np.array(kernel)))
    return pickle.loads(subprocess.run([sys.executable, '-c', code], input=asked, capture_output=True).stdout)""",
        "import subprocess, pickle, sys",
        limits={"timeout": 20},
    ),
    by(
        "pillow",
        "Pillow's filter kernels do the cases of 3 by 3.",
        """from PIL import Image, ImageFilter
    f = ImageFilter.Kernel((3, 3), np.ravel(kernel).tolist(), scale=1)
    return np.asarray(Image.fromarray(image.astype(np.uint8)).filter(f), float)[1:-1, 1:-1]""",
    ),
    by(
        "reloaded-past-the-stub",
        "Finders, loaders and zip files are searched for the unabridged library.",
        """m = load()
    return m.conv2d(image[None], kernel[None, None])[0]""",
        """import importlib.util, importlib.machinery, sys, pathlib
def load():
    for root in map(pathlib.Path, [*sys.path, '"""
        + str(REPOSITORY)
        + """']):
        path = root / 'course_lib' / 'convolution.py'
        if path.is_file():
            spec = importlib.util.spec_from_file_location('course_lib.convolution', path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module""",
    ),
    Attack(
        slug="count-by-another-count",
        tries="One of the library's counts, which is no answer of this exercise, does the counting of another.",
        cells={
            "ex-conv-parameters": """import course_lib.arithmetic as a
def conv_parameters(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return a.conv_macs(in_channels, out_channels, kernel_height, kernel_width, 1, 1, groups) + bias * out_channels"""
        },
    ),
    Attack(
        slug="figures-compute-it",
        tries="A figure of the library is drawn, and the convolution that it computes on the way is taken from its frame.",
        cells={
            "ex-conv2d": """import sys
def conv2d(image, kernel):
    seen = {}
    def profile(frame, event, argument):
        if event == 'return' and frame.f_code.co_name == 'show_im2col': seen.update(frame.f_locals)
    sys.setprofile(profile)
    try: figures.show_im2col(image, kernel, (0, 0))
    except Exception: pass
    finally: sys.setprofile(None)
    return np.reshape(seen['output'], (seen['rows'], seen['columns']))"""
        },
        limits={"timeout": 30},
    ),
    by(
        "jax-and-others",
        "Any other package that can convolve is tried.",
        """for name in ('cv2', 'skimage', 'sklearn', 'jax', 'tensorflow', 'astropy.convolution', 'torchvision', 'scipy._lib'):
        try: m = __import__(name)
        except Exception: continue
        try: return m.signal.correlate2d(image, kernel, 'valid')
        except Exception: pass
    import torchvision.transforms.functional as T, torch
    return torch.nn.functional.conv2d(torch.tensor(image * 1.0)[None, None], torch.tensor(kernel * 1.0)[None, None])[0, 0]""",
        limits={"timeout": 20},
    ),
    by(
        "shared-objects",
        "The compiled parts of a forbidden library are loaded by hand.",
        """import glob, sys, ctypes, importlib.machinery
    path = glob.glob(sys.prefix + '/lib/python*/site-packages/scipy/ndimage/_nd_image*.so')[0]
    m = importlib.machinery.ExtensionFileLoader('_nd_image', path).load_module()
    out = np.zeros(image.shape)
    m.correlate(image * 1.0, kernel * 1.0, out, 4, 0.0, [0, 0])
    i, j = kernel.shape[0] // 2, kernel.shape[1] // 2
    return out[i : i + image.shape[0] - kernel.shape[0] + 1, j : j + image.shape[1] - kernel.shape[1] + 1]""",
    ),
    Attack(
        slug="backward-by-the-library",
        lesson=BACKWARD,
        tries="The library's gradient is handed in as the student's.",
        cells={
            "ex-conv2d-backward": """def conv2d_backward(d_out, x, kernel, stride=1, padding=0):
    arrays = [np.array(one)[None, None] for one in (d_out, x, kernel)]
    grads = library_backward(*arrays, stride=stride, padding=padding)
    return grads[0][0, 0], grads[1][0, 0]"""
        },
    ),
    Attack(
        slug="pooling-backward-by-the-library",
        lesson=BACKWARD,
        tries="The library's pooling gradient is handed in under another name.",
        cells={
            "ex-max-pool2d-backward": """def max_pool2d_backward(d_out, x, pool_size=2, stride=2):
    return library_pooling(np.array(d_out), np.array(x), pool_size, stride)"""
        },
    ),
    Attack(
        slug="backward-by-torch",
        lesson=BACKWARD,
        tries="torch's autograd computes the gradients.",
        cells={
            "ex-conv2d-backward": """def conv2d_backward(d_out, x, kernel, stride=1, padding=0):
    import torch
    a, b = (torch.tensor(v * 1.0, requires_grad=True) for v in (x, kernel))
    torch.nn.functional.conv2d(a[None, None], b[None, None], stride=stride, padding=padding)[0, 0].backward(torch.tensor(d_out * 1.0))
    return a.grad.numpy(), b.grad.numpy()"""
        },
        limits={"timeout": 20},
    ),
)
