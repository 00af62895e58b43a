"""Scripts as one writes them for torch in float64 on the CPU: test_torch_scripts.py runs them.

Each takes the module under the name torch.  `python tests/torch_scripts.py` where torch is
installed writes what it gives to torch_scripts.json, which is what adcore is held against.
"""

import json
from pathlib import Path

import numpy as np

REFERENCE = Path(__file__).with_suffix(".json")
SCRIPTS = []


def script(function):
    """Add a function to the list."""
    SCRIPTS.append(function)
    return function


@script
def gradient_descent(torch):
    x = torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)
    for _ in range(50):
        loss = (x[0] - 1) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        with torch.no_grad():
            x -= 0.01 * x.grad
        x.grad = None
    return x, loss.item()


@script
def gradient_descent_zero(torch):
    torch.set_default_dtype(torch.float64)
    t = torch.linspace(0.0, 1.0, 20)
    y = 2.0 * t + 0.5
    w = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for _ in range(30):
        loss = ((w * t + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.5 * w.grad
            b -= 0.5 * b.grad
            w.grad.zero_()
            b.grad.zero_()
    return w, b


@script
def inplace_data(torch):
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    for _ in range(5):
        loss = (w**4).sum()
        loss.backward()
        w.data.sub_(0.01 * w.grad.data)
        w.grad.data.zero_()
    with torch.no_grad():
        w.add_(1.0).mul_(2.0)
        w.copy_(w * 0.5)
    return w


@script
def newton(torch):
    def f(x):
        return torch.exp(x).sum() + (x**2).sum() + x[0] * x[1]

    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    for _ in range(6):
        (g,) = torch.autograd.grad(f(x), x, create_graph=True)
        rows = [torch.autograd.grad(g[i], x, retain_graph=True)[0] for i in range(2)]
        H = torch.stack(rows)
        det = H[0, 0] * H[1, 1] - H[0, 1] * H[1, 0]
        inv = (
            torch.stack([torch.stack([H[1, 1], -H[0, 1]]), torch.stack([-H[1, 0], H[0, 0]])]) / det
        )
        x = (x - inv @ g).detach().requires_grad_(True)
    return x


@script
def double_backward(torch):
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y = torch.sin(x) * x**3
    (d1,) = torch.autograd.grad(y, x, create_graph=True)
    (d2,) = torch.autograd.grad(d1, x, create_graph=True)
    d2.backward()
    return d1, d2, x.grad


@script
def hooks(torch):
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    seen = []
    y = x**2
    h = y.register_hook(lambda g: seen.append(g.clone()))
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.sum().backward()
    h.remove()
    return x.grad, y.grad, seen[0]


@script
def function(torch):
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            y = torch.exp(x * w)
            ctx.save_for_backward(x, w, y)
            ctx.k = 2
            return y

        @staticmethod
        def backward(ctx, g):
            x, w, y = ctx.saved_tensors
            gx = gw = None
            if ctx.needs_input_grad[0]:
                gx = g * y * w
            if ctx.needs_input_grad[1]:
                gw = (g * y * x).sum()
            return gx, gw

    x = torch.tensor([0.1, 0.2], dtype=torch.float64, requires_grad=True)
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    y = Exp.apply(x, w).sum()
    g = torch.autograd.grad(y, (x, w), create_graph=True)
    h = torch.autograd.grad(g[0].sum() + g[1], (x, w))
    w2 = torch.tensor(2.0, dtype=torch.float64)
    Exp.apply(x, w2).sum().backward()
    ok = torch.autograd.gradcheck(Exp.apply, (x, w)) and torch.autograd.gradgradcheck(
        Exp.apply, (x, w)
    )
    return (*g, *h, x.grad, ok)


@script
def functional(torch):
    F = torch.autograd.functional

    def f(x):
        return (x**3).sum() + x[0] * torch.sin(x[1])

    def g(x, y):
        return x * y.sum(), (x**2).sum()

    x = torch.tensor([0.5, 1.5], dtype=torch.float64)
    y = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    v = torch.tensor([1.0, -1.0], dtype=torch.float64)
    J = F.jacobian(g, (x, y))
    return (
        F.hessian(f, x),
        F.hvp(f, x, v),
        F.vhp(f, x, v),
        J,
        F.jvp(lambda x: x * x, x, v),
        F.vjp(lambda x: x * x, x, v),
        F.jacobian(lambda x: x * x, x, create_graph=True),
    )


@script
def accumulation(torch):
    x = torch.tensor([1.0, 2.0], dtype=torch.double, requires_grad=True)
    for k in range(3):
        (x ** (k + 1)).sum().backward()
    a = x.grad.clone()
    y = x * 2
    y.backward(torch.ones_like(y))
    y2 = x * 3
    y2.backward(gradient=torch.tensor([1.0, 0.5], dtype=torch.float64))
    return a, x.grad


@script
def detach_and_no_grad(torch):
    x = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    y = x.detach() * x
    with torch.no_grad():
        z = x * x

    @torch.no_grad()
    def up(a):
        return a * 2

    with torch.set_grad_enabled(False):
        q = x * 3
    y.backward()
    return x.grad, z.requires_grad, up(x).requires_grad, q.requires_grad, x.is_leaf, y.is_leaf, z


@script
def joins(torch):
    a = torch.arange(1.0, 4.0, dtype=torch.float64).requires_grad_()
    b = torch.ones(3, dtype=torch.float64)
    c = torch.cat([a, b * a[0]])
    d = torch.cat((c.reshape(2, 3), a.unsqueeze(0)), dim=0)
    s = torch.stack([a, b], dim=1)
    e = torch.cat([s, s], dim=-1)
    loss = (d**2).sum() + (e * e).sum() + s.sum(dim=0)[0]
    loss.backward()
    return a.grad, d, s, e


@script
def dims(torch):
    x = torch.arange(12, dtype=torch.float64).reshape(3, 4).requires_grad_(True)
    r = [
        x.sum(dim=1),
        x.sum(dim=0, keepdim=True),
        x.mean(dim=-1),
        torch.sum(x, dim=(0, 1)),
        torch.mean(x, dim=1, keepdim=True),
        x.prod(dim=0),
        torch.cumsum(x, dim=0),
        x.cumprod(dim=1),
        torch.norm(x),
        x.norm(dim=1),
        x.amax(dim=1),
        torch.amin(x, dim=0),
        x.max(dim=1).values,
        x.min(dim=0)[0],
        torch.max(x, dim=1).indices.tolist(),
        x.argmax(dim=1).tolist(),
        x.std(dim=0),
        x.var(dim=1, unbiased=False),
        torch.logsumexp(x, dim=1),
        torch.softmax(x, dim=1),
        x.squeeze().unsqueeze(-1).squeeze(dim=-1),
        x.flip(dims=(0,)),
        torch.flip(x, dims=[1]),
        torch.roll(x, shifts=1, dims=0),
        x.sum(1),
        x.t(),
        x.permute(1, 0),
        x.reshape(3, 2, 2).transpose(0, 1),
        torch.transpose(x, 0, 1),
        torch.diag(x[:3, :3]),
    ]
    total = 0.0
    for i, y in enumerate(r):
        if isinstance(y, torch.Tensor):
            total = total + (y * (i + 1.0)).sum() + (y**2).sum() / 10.0
    total.backward()
    return (*r, x.grad)


@script
def least_squares(torch):
    A = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)
    b = torch.tensor([1.0, 2.0, 2.5], dtype=torch.float64)
    x = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def closure():
        r = torch.mv(A, x) - b
        return r.dot(r) + torch.mm(A, x.unsqueeze(1)).pow(2).sum() + torch.matmul(A, x).abs().sum()

    with torch.no_grad():
        x += 0.25
    loss = closure()
    loss.backward()
    return loss, x.grad, torch.einsum("ij,j->i", A, x), torch.eye(2, dtype=torch.float64) @ x


@script
def logistic_regression(torch):
    X = torch.tensor([[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5], [2.0, 1.0]], dtype=torch.float64)
    y = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    for _ in range(20):
        p = torch.sigmoid(X @ w)
        loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        (g,) = torch.autograd.grad(loss, w)
        w = (w - 0.3 * g).detach().requires_grad_()
    return w, loss.item(), torch.relu(w), w.clamp(min=0.0), torch.clamp(w, max=0.1)


@script
def small_network(torch):
    torch.manual_seed(0)
    W = torch.randn(4, 3, dtype=torch.float64)
    u = torch.rand(2, dtype=torch.float64)
    assert W.dtype == torch.float64
    assert (tuple(W.shape), tuple(u.shape)) == ((4, 3), (2,))
    W1 = (torch.arange(12, dtype=torch.float64).view(4, 3) / 12).requires_grad_()
    x = torch.full((3,), 0.5, dtype=torch.float64)
    h = torch.tanh(W1 @ x)
    y = h.sum().exp().log1p()
    y.backward()
    return y, W1.grad


@script
def ode(torch):
    def rhs(y, k):
        return torch.stack([y[1], -k * y[0]])

    k = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([1.0, 0.0], dtype=torch.float64)
    h = 0.05
    for _ in range(40):
        a = rhs(y, k)
        b = rhs(y + h / 2 * a, k)
        c = rhs(y + h / 2 * b, k)
        d = rhs(y + h * c, k)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
    y[0].backward()
    return y, k.grad


@script
def physics_informed(torch):
    x = torch.linspace(0, 1, 5, dtype=torch.float64).requires_grad_(True)
    u = torch.sin(3 * x) * x**2
    du = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]
    d2u = torch.autograd.grad(du, x, torch.ones_like(du), create_graph=True)[0]
    loss = ((d2u + u) ** 2).mean()
    (g,) = torch.autograd.grad(loss, x)
    return du, d2u, loss, g


@script
def indexing(torch):
    x = torch.zeros(5, dtype=torch.float64)
    p = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = x.clone()
    y[1] = p[0] * 2
    y[2:4] = p * p
    mask = y > 1.5
    z = (
        y[mask].sum()
        + torch.where(mask, y, torch.zeros_like(y)).sum()
        + y[[1, 3]].sum()
        + y[torch.tensor([1, 2], dtype=torch.long)].sum()
        + y[torch.arange(2)].sum()
    )
    z.backward()
    return y, z, p.grad, mask.any().item(), mask.tolist()


@script
def types(torch):
    x = torch.tensor([1, 2, 3]).double().requires_grad_()
    y = x.to(torch.float64).cpu().contiguous().view(-1)
    a = torch.as_tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    b = torch.from_numpy(np.array([1.0, 2.0, 3.0]))
    c = torch.tensor(2.5, dtype=torch.float64, device="cpu")
    (y * a * b * c).sum().backward()
    return (
        x.grad,
        torch.is_tensor(x),
        x.dtype == torch.float64,
        torch.allclose(a, b),
        torch.equal(a, b),
        x.numel(),
        x.dim(),
        len(x),
        tuple(x.shape),
        torch.numel(x),
        torch.isnan(x).any().item(),
        torch.isfinite(a).all().item(),
        torch.pi,
        torch.inf,
        torch.is_grad_enabled(),
    )


@script
def special(torch):
    x = torch.tensor([0.3, 0.6], dtype=torch.float64, requires_grad=True)
    y = [
        torch.erf(x),
        torch.lgamma(x),
        torch.digamma(x.detach()),
        torch.atan2(x, x + 1),
        torch.log1p(x),
        torch.expm1(x),
        torch.arctan(x),
        torch.arcsin(x),
        torch.rsqrt(x),
        torch.erfinv(x),
        torch.sigmoid(x),
        torch.xlogy(x, x),
        torch.logaddexp(x, x * 2),
        torch.maximum(x, 1 - x),
        torch.hypot(x, x * x),
        torch.sign(x),
        torch.multiply(x, x),
        torch.divide(x, x + 1),
        torch.subtract(x, 1),
        torch.true_divide(x, 3),
        torch.negative(x),
        torch.absolute(x),
        torch.fmod(x, 0.25),
        torch.remainder(x, 0.25),
        torch.max(x, 1 - x),
        torch.min(x, 1 - x),
        torch.addcmul(x, x, x),
        torch.square(x),
        torch.lerp(x, x * 2, 0.3),
        torch.outer(x, x).trace(),
        torch.trace(torch.outer(x, x)),
        torch.tril(torch.outer(x, x)),
        torch.triu(torch.outer(x, x)),
        torch.cross(
            torch.cat([x, x[:1]]), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), dim=0
        ),
    ]
    total = sum((v * v).sum() for v in y)
    total.backward()
    return (*y, x.grad)


@script
def sizes(torch):
    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    a, b = x.size(0), tuple(x.size())
    y = (
        x.expand(4, 2, 3).sum()
        + x.view(6)[1]
        + x.view(3, -1).sum(0)[0]
        + x.tile(2, 2).sum()
        + sum(p.sum() * p[0, 0] for p in x.split(2, dim=1))
    )
    y.backward()
    return a, b, x.grad, torch.tile(x, (2, 1))


def plain(result):
    """Tensors and arrays, nested in tuples, as nested lists of numbers."""
    if isinstance(result, (list, tuple)):
        return [plain(part) for part in result]
    if hasattr(result, "detach"):
        result = result.detach().numpy()
    return np.asarray(result, dtype=float).tolist()


if __name__ == "__main__":
    import torch

    found = {function.__name__: plain(function(torch)) for function in SCRIPTS}
    text = [f'"{name}": {json.dumps(value)}' for name, value in found.items()]
    REFERENCE.write_text("{\n" + ",\n".join(text) + "\n}\n")
