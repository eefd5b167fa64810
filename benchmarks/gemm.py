"""Make src/fiqa/gemm.onnx: one matrix product, with which 'fiqa bench' measures a machine's rate."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

TARGET = Path(__file__).parents[1] / "src" / "fiqa" / "gemm.onnx"


def main() -> None:
    def matrix(name: str, rows: str, columns: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, columns])

    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph(
        [node], "gemm", [matrix("a", "m", "k"), matrix("b", "k", "n")], [matrix("c", "m", "n")]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), TARGET)


if __name__ == "__main__":
    main()
