Q(/script)
